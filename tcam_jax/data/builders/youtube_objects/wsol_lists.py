"""Reading lists of the wsolevaluation format: what is in a split, its labels, sizes and boxes.

Source: Choe et al., "Evaluating Weakly Supervised Object Localization Methods Right" (CVPR 2020),
whose format the lists of YouTube-Objects follow.
"""

import hashlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tcam_jax.data.builders.sources import SourceBox
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.plain_files import read_bytes

FOLDERS = {"train": "train", "validation": "val", "test": "test"}
_IDS, _LABELS = "image_ids.txt", "class_labels.txt"
_SIZES, _BOXES = "image_sizes.txt", "localization.txt"
_MOST_BYTES = 1 << 28  # of a list


class SplitList(NamedTuple):
    """One split's lists.

    `labels`: {id: class number}, all ids in the order of `image_ids.txt`. `label_lines`: where each
    label stands. `sizes`: {id: (width, height)} in pixels, of the image that the boxes refer to.
    `boxes`: {id: boxes}; the box 0,0,0,0 means that there is none.
    """

    labels: dict[str, int]
    label_lines: dict[str, str]
    sizes: dict[str, tuple[int, int]]
    boxes: dict[str, tuple[SourceBox, ...]]


def read_lists(splits_dir: Path) -> dict[str, SplitList]:
    """The lists of "train", "validation" and "test" from the folders train, val and test.

    The files of sizes and boxes may be empty; those of train need not be there.

    Raises:
        InputError: a file is missing, or a line is not what it should be; both are named.
    """
    return {split: _read_split(splits_dir / folder) for split, folder in FOLDERS.items()}


def digest(splits_dir: Path) -> str:
    """SHA-256 of the lists' content."""
    content = hashlib.sha256()
    for folder in FOLDERS.values():
        for name in (_IDS, _LABELS, _SIZES, _BOXES):
            path = splits_dir / folder / name
            content.update(_content(path) if path.exists() else b"")
            content.update(b"\0")
    return content.hexdigest()


def _read_split(folder: Path) -> SplitList:
    ids: dict[str, str] = {}
    for where, (name,) in _lines(folder / _IDS, "id"):
        if name in ids:
            raise InputError(f"{where}: {name!r} is there twice ({ids[name]}); remove one")
        ids[name] = where
    if not ids:
        raise InputError(f"{folder / _IDS} is empty; it must list at least one id")
    labels, label_lines = {}, {}
    for where, (name, label) in _lines(folder / _LABELS, "id,label", ids):
        if not label.isdecimal():
            raise InputError(f"{where}: expected a class number, got {label!r}")
        if name in labels:
            raise InputError(f"{where}: {name!r} has a label already ({label_lines[name]})")
        labels[name], label_lines[name] = int(label), where
    for name, where in ids.items():
        if name not in labels:
            raise InputError(f"{where}: {name!r} has no line in {folder / _LABELS}; add it")
    sizes: dict[str, tuple[int, int]] = {}
    for where, (name, width, height) in _lines(folder / _SIZES, "id,width,height", ids):
        if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
            raise InputError(f"{where}: expected a size in pixels, got {width},{height}")
        if sizes.setdefault(name, (int(width), int(height))) != (int(width), int(height)):
            raise InputError(f"{where}: {name!r} has another size in an earlier line; remove one")
    boxes: dict[str, tuple[SourceBox, ...]] = {}
    for where, (name, *corners) in _lines(folder / _BOXES, "id,x0,y0,x1,y1", ids):
        if name not in sizes:
            raise InputError(f"{where}: {name!r} has a box, but no line in {folder / _SIZES}")
        box = SourceBox(where, _numbers(where, corners))
        if any(box.corners):
            boxes[name] = (*boxes.get(name, ()), box)
    return SplitList({name: labels[name] for name in ids}, label_lines, sizes, boxes)


def _lines(
    path: Path, fields: str, ids: dict[str, str] | None = None
) -> Iterator[tuple[str, list[str]]]:
    """Where each line stands, and its `fields`; `ids`: those that the first one may be."""
    if not path.exists():
        if path.name in (_SIZES, _BOXES) and path.parent.name == FOLDERS["train"]:
            return
        raise InputError(
            f"{path} is not there; lists need {', '.join(FOLDERS.values())}, each with {_IDS}, "
            f"{_LABELS}, {_SIZES} and {_BOXES}"
        )
    try:
        lines = _content(path).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no UTF-8 text ({error.reason}); save it as UTF-8") from error
    for number, line in enumerate(lines, start=1):
        where, values = f"{path} line {number}", line.strip().split(",")
        if not line.strip():
            continue
        if len(values) != fields.count(",") + 1:
            raise InputError(f"{where}: expected {fields}, got {line!r}")
        if ids is not None and values[0] not in ids:
            raise InputError(f"{where}: {values[0]!r} is not in {path.parent / _IDS}")
        yield where, values


def _content(path: Path) -> bytes:
    try:
        return read_bytes(path, _MOST_BYTES)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); mend it") from error


def _numbers(where: str, values: list[str]) -> tuple[float, float, float, float]:
    try:
        x0, y0, x1, y1 = map(float, values)
    except ValueError as error:
        raise InputError(f"{where}: expected four numbers, got {','.join(values)}") from error
    if not all(map(math.isfinite, (x0, y0, x1, y1))):
        raise InputError(f"{where}: expected four finite numbers, got {','.join(values)}")
    return x0, y0, x1, y1
