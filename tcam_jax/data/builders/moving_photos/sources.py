"""The folder that `moving_photos` is made from: cut-outs and backgrounds, each of one split."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tcam_jax.data.animation import is_video
from tcam_jax.data.builders.findings import Finding, Findings
from tcam_jax.data.builders.folders import entries
from tcam_jax.data.pictures import is_image
from tcam_jax.runtime.errors import InputError

LAYOUT = (
    "expected cutouts/CLASS/*.png with transparency and backgrounds/* (photos or videos), "
    "see docs/moving_photos.md"
)
SPLIT_NAMES = ("train", "validation", "test")


class Sources(NamedTuple):
    """The files of one split.

    `cutouts`: of each class, by its number. `backgrounds`: photos and videos.
    """

    cutouts: list[list[Path]]
    backgrounds: list[Path]


def class_folders(root: Path, findings: Findings) -> dict[str, list[Path]]:
    """The cut-outs of each class, both sorted by name; other files are noted and left out.

    Raises:
        InputError: the folder is laid out otherwise, has one class, or too few cut-outs of one.
    """
    folder = root / "cutouts"
    if not folder.is_dir():
        raise InputError(f"{root} has no folder cutouts; {LAYOUT}")
    classes: dict[str, list[Path]] = {}
    for class_folder in entries(folder, root, findings):
        if not class_folder.is_dir():
            findings.add(Finding("not_a_frame", class_folder.relative_to(root).as_posix()))
            continue
        files = []
        for file in entries(class_folder, root, findings):
            if file.suffix.lower() == ".png":
                files.append(file)
            else:
                findings.add(Finding("not_a_frame", file.relative_to(root).as_posix()))
        classes[class_folder.name] = files
    if len(classes) < 2:
        raise InputError(
            f"{folder} has {len(classes)} class folders, but it takes two or more; {LAYOUT}"
        )
    for name, files in classes.items():
        _check_enough(f"cut-outs of class {name!r} in {folder}", len(files))
    return classes


def background_files(root: Path, findings: Findings) -> list[Path]:
    """The photos and videos over which objects move, sorted by name.

    Raises:
        InputError: there is no such folder, or it has too few.
    """
    folder = root / "backgrounds"
    if not folder.is_dir():
        raise InputError(f"{root} has no folder backgrounds; {LAYOUT}")
    files = []
    for file in entries(folder, root, findings):
        if not file.is_dir() and (is_image(file) or is_video(file)):
            files.append(file)
        else:
            findings.add(Finding("not_a_frame", file.relative_to(root).as_posix()))
    _check_enough(f"backgrounds in {folder}", len(files))
    return files


def split_sources(
    classes: dict[str, list[Path]], backgrounds: Sequence[Path], seed: int
) -> dict[str, Sources]:
    """Gives every file to one split alone: about 5/8 to train, 1/8 to validation, 1/4 to test.

    Drawn from the names in their order: the same names and seed, the same splits. Photos and videos
    are divided each for themselves where there are three of both.
    """
    rng = np.random.default_rng([seed, 0])
    kinds = [[file for file in backgrounds if is_video(file) is kind] for kind in (False, True)]
    if min(map(len, kinds)) < len(SPLIT_NAMES):
        kinds = [list(backgrounds)]
    places = [_divide(files, rng) for files in kinds]
    objects = [_divide(files, rng) for files in classes.values()]
    return {
        split: Sources(
            cutouts=[parts[number] for parts in objects],
            backgrounds=[file for parts in places for file in parts[number]],
        )
        for number, split in enumerate(SPLIT_NAMES)
    }


def _divide(files: Sequence[Path], rng: np.random.Generator) -> list[list[Path]]:
    mixed = [files[i] for i in rng.permutation(len(files))]
    validation, test = (max(1, round(len(files) / share)) for share in (8, 4))
    ends = (0, len(files) - validation - test, len(files) - test, len(files))
    return [mixed[start:end] for start, end in zip(ends[:-1], ends[1:], strict=True)]


def _check_enough(what: str, number: int) -> None:
    if number < len(SPLIT_NAMES):
        raise InputError(
            f"there are {number} {what}, but train, validation and test take one each, that is "
            f"{len(SPLIT_NAMES)} at least; add some"
        )
