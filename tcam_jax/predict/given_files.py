"""The files that a command is to predict, of all shards, and what their results are called."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tcam_jax.data.animation import is_video
from tcam_jax.data.folder_walk import LeftOut
from tcam_jax.predict.camera import camera_number
from tcam_jax.predict.drawing.overlay_names import overlay_names
from tcam_jax.predict.formats.names import common_folder, output_names, relative_names
from tcam_jax.predict.named_files import find_named
from tcam_jax.predict.result_folder import SETTINGS
from tcam_jax.predict.shards import FOLDERS
from tcam_jax.runtime.errors import InputError


@dataclass(frozen=True)
class Given:
    """What there is to predict.

    Attributes:
      files: in natural order; of a camera its name alone.
      root: the folder that the names of results are relative to.
      left_out: what is no image or video there.
      camera: "camera:0", say; None: these are files.
    """

    files: list[Path]
    root: Path
    left_out: list[LeftOut]
    camera: str | None = None

    @cached_property  # some are opened to be told
    def videos(self) -> set[Path]:
        """Those of `files` that are videos, with the camera."""
        return set(self.files) if self.camera else {file for file in self.files if is_video(file)}

    def overlays(self) -> dict[Path, Path]:
        """Return what the overlay of each file is called."""
        # Names depend on all files together: those of a shard alone would not fit the others'.
        names = self._names()
        paths = {file: Path(name) for file, name in names.items()}
        shown = overlay_names(paths.values(), {paths[file] for file in self.videos})
        return {file: shown[path] for file, path in paths.items()}

    def masks(self) -> dict[Path, str]:
        """Return what the masks of each file are called, see `formats.names.output_names`."""
        names = self._names()
        plain = output_names(names.values(), {names[file] for file in self.videos})
        return {file: plain[name] for file, name in names.items()}

    def _names(self) -> dict[Path, str]:
        names = relative_names(map(str, self.files), str(self.root))
        return {file: names[str(file)] for file in self.files}


def find_given(names: Sequence[str], output: Path) -> Given:
    """Find what `names` lead to: images, videos, folders of them, globs, or one camera.

    A file is there once, whatever names and spellings lead to it.

    Args:
      names: one or more.
      output: the folder of the results; what an earlier call wrote there is not read.

    Raises:
      InputError: a name leads to nothing, a camera is not alone, or `output` is what is read: the
        input itself, or a folder of other files in it.
    """
    camera = next((name for name in names if camera_number(name) is not None), None)
    if camera is not None and not os.path.exists(camera):
        if len(names) > 1:
            raise InputError(f"--input={camera} must be the only one: a camera does not end.")
        return Given([Path(camera)], Path(), [], camera)
    found = []
    for name in names:
        try:
            found.append(find_named(name))
        except InputError as error:
            raise InputError(f"--input: {error}") from error
    by_place, left_out = dict[str, Path](), dict[str, LeftOut]()
    is_inside = _is_inside(output)
    has_results = _has_results(output)  # asked after the search: another shard may begin meanwhile
    for one in found:
        inside = set(filter(is_inside, one.files))
        if inside and not (has_results and set(one.files) - inside):
            raise _another_output(output, next(file for file in one.files if file in inside))
        for file in one.files:
            if file not in inside:
                by_place.setdefault(os.path.abspath(file), file)
        left_out |= {
            os.path.abspath(entry.path): entry
            for entry in one.left_out
            if not is_inside(entry.path)
        }
    files = list(by_place.values())
    root = Path(names[0])
    if len(names) > 1 or not root.is_dir():
        root = Path(common_folder(map(str, files)))
    if os.path.realpath(output) == os.path.realpath(root):
        raise _another_output(output)
    # `in_words` names them relative to the root, whether they were given so or not.
    below = {place: root / os.path.relpath(place, root) for place in left_out}
    return Given(files, root, [left_out[place]._replace(path=below[place]) for place in below])


def _has_results(output: Path) -> bool:
    return any(path.exists() for path in (output / SETTINGS, *output.glob(f"{FOLDERS}/{SETTINGS}")))


def _is_inside(folder: Path) -> Callable[[Path], bool]:
    real = Path(os.path.realpath(folder))  # `Path.resolve` raises where links form a loop
    return lambda path: real in Path(os.path.realpath(path)).parents


def _another_output(output: Path, read: Path | None = None) -> InputError:
    what = f" {read} would be read." if read else ""
    return InputError(f"--output={output} must be another folder than that of the input.{what}")
