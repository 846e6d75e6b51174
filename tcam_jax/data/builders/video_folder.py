"""TFDS builder of `video_folder`: a user's own frames, `manual_dir/class/video/shot/*.jpg`."""

import functools
import hashlib
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from tcam_jax.data.builders.boxes_csv import BoxRow, check_inside, read_boxes
from tcam_jax.data.builders.shot_builder import ShotDatasetBuilder, SourceFrame, SourceShot
from tcam_jax.data.builders.video_split import ShotFiles, split_classes
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

    @functools.cached_property
    def _shots(self) -> dict[str, list[ShotFiles]]:
        return list_shots(Path(self.builder_config.manual_dir))

    def class_names(self) -> Sequence[str]:
        """The names of the class folders, sorted."""
        return list(self._shots)

    def origin(self) -> dict[str, Any]:
        """The configuration's source folder, what is in it, and its way of splitting."""
        config = self.builder_config
        boxes = Path(config.manual_dir) / BOXES_FILE
        sizes = [
            file.stat().st_size
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

    def splits(self) -> dict[str, list[SourceShot]]:
        """The shots of each split; files are read and checked when they are written."""
        config = self.builder_config
        root = Path(config.manual_dir)
        known = {
            file.relative_to(root).as_posix()
            for shots in self._shots.values()
            for shot in shots
            for file in shot.files
        }
        boxes = read_boxes(root / BOXES_FILE, known)
        return {
            split: [
                SourceShot(
                    class_name=class_name,
                    video=shot.video,
                    shot=shot.shot,
                    num_frames=len(shot.files),
                    frames=_read_frames(root, shot.files, boxes),
                )
                for class_name, shots in by_class.items()
                for shot in shots
            ]
            for split, by_class in split_classes(
                self._shots, config.split_by, config.fractions
            ).items()
        }


def list_shots(root: Path) -> dict[str, list[ShotFiles]]:
    """The shots of every class, both sorted by name, with their frame files in natural order.

    Raises:
        InputError: the layout is not class/video/shot/*.jpg, or a class has no frame.
    """
    classes: dict[str, list[ShotFiles]] = {}
    for class_folder in _folders(root):
        shots = [
            ShotFiles(video.name, shot.name, files)
            for video in _folders(class_folder)
            for shot in _folders(video)
            if (files := _frame_files(shot))
        ]
        if not shots:
            raise InputError(
                f"class {class_folder.name!r} in {root} has no frames; {_LAYOUT}; "
                "add frames or remove the folder"
            )
        classes[class_folder.name] = shots
    if not classes:
        raise InputError(f"{root} has no class folders; {_LAYOUT} below it")
    return classes


def _folders(parent: Path) -> list[Path]:
    entries = [entry for entry in parent.iterdir() if not entry.name.startswith(".")]
    for entry in entries:
        if entry.suffix.lower() in (".jpg", ".jpeg", ".png") and entry.is_file():
            raise InputError(f"{entry} lies too high in the folders; {_LAYOUT}; move it there")
    return sorted((entry for entry in entries if entry.is_dir()), key=natural_order)


def _frame_files(shot: Path) -> list[Path]:
    files = [entry for entry in shot.iterdir() if not entry.name.startswith(".")]
    for file in files:
        if file.suffix.lower() not in (".jpg", ".jpeg") or not file.is_file():
            raise InputError(f"{file} is no JPEG file; {_LAYOUT}; convert it or move it away")
    return sorted(files, key=natural_order)


def natural_order(path: Path) -> tuple[list[int | str], str]:
    """Sorting key by which frame2.jpg comes before frame10.jpg."""
    pieces = re.split(r"(\d+)", path.name)
    return [int(piece) if place % 2 else piece for place, piece in enumerate(pieces)], path.name


def _read_frames(
    root: Path, files: Sequence[Path], boxes: dict[str, list[BoxRow]]
) -> Iterator[SourceFrame]:
    # Decoding, the bulk of the work, leaves Python's lock; one shot at a time bounds the memory.
    with ThreadPoolExecutor() as pool:
        yield from pool.map(lambda file: _read_frame(root, file, boxes), files)


def _read_frame(root: Path, file: Path, boxes: dict[str, list[BoxRow]]) -> SourceFrame:
    try:
        with Image.open(file) as image:
            image.load()
            kind, (width, height) = image.format, image.size
    except Exception as error:  # Pillow's decoders raise many types
        raise InputError(
            f"{file} cannot be decoded ({error}); repair the file or remove it"
        ) from error
    if kind not in ("JPEG", "MPO"):  # MPO: a JPEG followed by more pictures, as cameras write it
        raise InputError(f"{file} is a {kind} file in spite of its name; convert it to JPEG")
    rows = boxes.get(file.relative_to(root).as_posix(), [])
    check_inside(rows, width, height)
    found = np.array([row.box for row in rows], np.float32).reshape(-1, 4)
    return SourceFrame(file.read_bytes(), file.name, width, height, found)


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
