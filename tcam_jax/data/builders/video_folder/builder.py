"""TFDS builder of `video_folder`: a user's own frames, `manual_dir/class/video/shot/*.jpg`."""

import functools
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from tcam_jax.data.builders.findings import Finding, Findings
from tcam_jax.data.builders.folders import entries, image_files, is_image
from tcam_jax.data.builders.shot_builder import ShotDatasetBuilder
from tcam_jax.data.builders.sources import SourceFrame, SourceShot
from tcam_jax.data.builders.video_folder.boxes_csv import read_boxes
from tcam_jax.data.builders.video_folder.video_split import ShotFiles, split_classes
from tcam_jax.errors import InputError

BOXES_FILE = "boxes.csv"
_LAYOUT = "expected frames as class/video/shot/*.jpg"


@dataclass
class VideoFolderConfig(tfds.core.BuilderConfig):
    """Where the frames are and how to split them; see `make_builder`."""

    manual_dir: str = ""
    split_by: str = "video"
    fractions: tuple[float, ...] = (0.7, 0.15, 0.15)


class VideoFolder(ShotDatasetBuilder):
    """Frames of the user's own videos; boxes, where there are any, come from `boxes.csv`."""

    skip_duplicates = True

    @functools.cached_property
    def _shots(self) -> dict[str, list[ShotFiles]]:
        return list_shots(Path(self.builder_config.manual_dir), Findings())

    def class_names(self) -> Sequence[str]:
        """The names of the class folders, sorted."""
        return list(self._shots)

    def origin(self) -> dict[str, Any]:
        """The configuration's source folder, what is in it, and its way of splitting."""
        config = self.builder_config
        boxes = Path(config.manual_dir) / BOXES_FILE
        sizes = [
            file.lstat().st_size
            for shots in self._shots.values()
            for shot in shots
            for file in shot.files
        ]
        return {
            "manual_dir": config.manual_dir,
            "frames": len(sizes),
            "bytes": sum(sizes),
            "boxes": hashlib.sha256(boxes.read_bytes()).hexdigest() if boxes.exists() else None,
            "split_by": config.split_by,
            "fractions": list(config.fractions),
        }

    def splits(self, findings: Findings) -> dict[str, list[SourceShot]]:
        """The shots of each split."""
        config = self.builder_config
        root = Path(config.manual_dir)
        classes = list_shots(root, findings)
        known = {
            file.relative_to(root).as_posix()
            for shots in classes.values()
            for shot in shots
            for file in shot.files
        }
        boxes = read_boxes(root / BOXES_FILE, known, findings)

        def frames(files: Sequence[Path]) -> Iterator[SourceFrame]:
            for file in files:
                name = file.relative_to(root).as_posix()
                yield SourceFrame(name, name, file, tuple(boxes.get(name, ())))

        return {
            split: [
                SourceShot(
                    class_name=class_name,
                    video=shot.video,
                    shot=shot.shot,
                    num_frames=len(shot.files),
                    frames=frames(shot.files),
                )
                for class_name, shots in by_class.items()
                for shot in shots
            ]
            for split, by_class in split_classes(classes, config.split_by, config.fractions).items()
        }


def list_shots(root: Path, findings: Findings) -> dict[str, list[ShotFiles]]:
    """The shots of every class, both sorted by name, with their frame files in natural order.

    Raises:
        InputError: the layout is not class/video/shot/*.jpg, or a class has no frame.
    """
    classes: dict[str, list[ShotFiles]] = {}
    for class_folder in _folders(root, root, findings):
        shots = []
        for video in _folders(class_folder, root, findings):
            for shot in _folders(video, root, findings):
                files = image_files(shot, root, findings)
                if files:
                    shots.append(ShotFiles(video.name, shot.name, files))
                else:
                    findings.add(Finding("empty_shot", shot.relative_to(root).as_posix()))
        if not shots:
            raise InputError(
                f"class {class_folder.name!r} in {root} has no frames; {_LAYOUT}; "
                "add frames or remove the folder"
            )
        classes[class_folder.name] = shots
    if not classes:
        raise InputError(f"{root} has no class folders; {_LAYOUT} below it")
    return classes


def _folders(parent: Path, root: Path, findings: Findings) -> list[Path]:
    found = entries(parent, root, findings)
    for entry in found:
        if is_image(entry) and entry.is_file():
            raise InputError(f"{entry} lies too high in the folders; {_LAYOUT}; move it there")
    return [entry for entry in found if entry.is_dir()]


def make_builder(
    config: str,
    *,
    data_dir: str | Path,
    manual_dir: str | Path | None,
    split_by: str = "video",
    fractions: Sequence[float | int] = (0.7, 0.15, 0.15),
) -> VideoFolder:
    """The builder of one user's dataset.

    Args:
        config: a name for this dataset; every source folder needs its own.
        data_dir: where prepared datasets live.
        manual_dir: the source: `class/video/shot/*.jpg` and, optionally, `boxes.csv`.
        split_by: "video": whole videos go to train, validation or test; a class with too few
            videos is split by time, which is logged. "time": every shot is cut into contiguous
            pieces.
        fractions: of train, validation and test; they sum to 1, and 0 leaves a split out.

    Raises:
        InputError: an unusable folder, name, way of splitting or fractions.
    """
    if manual_dir is None or not Path(manual_dir).is_dir():
        raise InputError(
            f"video_folder needs manual_dir, the folder of your frames, got {manual_dir}; {_LAYOUT}"
        )
    if not config or not config.replace("-", "_").replace(".", "_").isidentifier():
        raise InputError(
            f"expected a configuration name of letters, digits, '_', '-' and '.', got {config!r}"
        )
    chosen = VideoFolderConfig(
        name=config,
        description="A user's own frames.",
        manual_dir=str(Path(manual_dir).resolve()),
        split_by=split_by,
        fractions=tuple(float(fraction) for fraction in fractions),
    )
    return VideoFolder(config=chosen, data_dir=data_dir)
