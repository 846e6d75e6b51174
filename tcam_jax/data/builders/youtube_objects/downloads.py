"""The raw downloads: which classes are there, as folders or as archives, and their content."""

from pathlib import Path
from typing import Any

from tcam_jax.data.builders.archives import archive_name, unpack
from tcam_jax.data.builders.folders import fingerprint
from tcam_jax.runtime.errors import InputError

_PAGES = {
    "v1.0": "https://data.vision.ee.ethz.ch/cvl/youtube-objects/categories/",
    "v2.2": "http://calvin-vision.net/bigstuff/youtube-objectsv2/",
}
CLASS_NAMES = (
    "aeroplane",
    "bird",
    "boat",
    "car",
    "cat",
    "cow",
    "dog",
    "horse",
    "motorbike",
    "train",
)
RANGES, GROUND_TRUTH = "Ranges", "GroundTruth"

_ANNOTATIONS = {"v1.0": (), "v2.2": (RANGES, GROUND_TRUTH)}
# What the authors publish beside the classes.
_NO_CLASSES = (
    "vo-release",
    "code",
    "OpticalFlow",
    "SlicSuperpixels",
    "UsefulFiles",
    "videos",
    RANGES,
    GROUND_TRUTH,
)


class Downloads:
    """What lies in the user's `manual_dir`: folders, or archives as they came, or both.

    Of a download that is there in both forms the folder is taken. `classes`: sorted names.

    Args:
        version: "v1.0" or "v2.2".
        root: the folder `manual_dir`.

    Raises:
        InputError: two archives have the same name, or there is no class.
    """

    def __init__(self, version: str, root: Path):
        self.version, self.root = version, root
        folders: dict[str, Path] = {}
        archives: dict[str, Path] = {}
        for entry in sorted(root.iterdir()):
            name = archive_name(entry)
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                folders[entry.name] = entry
            elif name in archives:
                raise InputError(
                    f"{archives[name]} and {entry} are two archives of one name; remove one"
                )
            elif name:
                archives[name] = entry
        self._found = archives | folders
        self.classes = sorted(name for name in self._found if self._is_class(name))
        if not self.classes:
            raise InputError(
                f"{root} holds no class of YouTube-Objects {version}; {how_to(version)}"
            )

    def _is_class(self, name: str) -> bool:
        if name in _NO_CLASSES:
            return False
        path = self._found[name]
        if self.version == "v2.2" or name in CLASS_NAMES or not path.is_dir():
            return True
        return (path / "sets").is_dir() and (path / "data").is_dir()

    @property
    def missing_classes(self) -> list[str]:
        """The published classes that are not there."""
        return [name for name in CLASS_NAMES if name not in self.classes]

    def content(self, name: str, work_folder: Path) -> Path:
        """The folder with the content of a download; an archive is unpacked once.

        Raises:
            InputError: it is not there, or it is a damaged archive.
        """
        if name not in self._found:
            raise InputError(
                f"{self.root} has neither {name}/ nor {name}.tar.gz; {how_to(self.version)}"
            )
        path = self._found[name]
        return path if path.is_dir() else unpack(path, work_folder)

    def fingerprint(self) -> dict[str, Any]:
        """See `folders.fingerprint`: of what is used; an archive is one file."""
        used = [*self.classes, *_ANNOTATIONS[self.version]]
        return fingerprint(self.root, [self._found[name] for name in used if name in self._found])


def how_to(version: str) -> str:
    """What the folder must hold, for messages."""
    others = "".join(f", {name}" for name in _ANNOTATIONS[version])
    return (
        f"download CLASS.tar.gz of every class{others and f'{others} (also .tar.gz)'} from "
        f"{_PAGES[version]} and put them there, packed or unpacked"
    )
