"""The MATLAB files of YouTube-Objects: boxes of one frame, ranges of shots, ground truth."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from tcam_jax.data.builders.youtube_objects.mat_format import (
    Cells,
    Other,
    Structs,
    Value,
    read_variable,
)

_MOST_FRAMES = 10**8  # file names have eight digits


class Ranges(NamedTuple):
    """The shots of a class, int64 `[shots]` each; `last` is included; both count file names."""

    first: np.ndarray
    last: np.ndarray
    video: np.ndarray


class GroundTruthEntry(NamedTuple):
    """`name`: "horse00038465", None where that is no text. `boxes`: see `read_boxes`."""

    name: str | None
    boxes: list[np.ndarray]


def read_boxes(path: Path) -> list[np.ndarray]:
    """The entries of `coor`: float64 x0, y0, x1, y1 in pixels, counted from 0.

    An entry which is no box is there too, with another number of values, or with none at all.

    Raises:
        ValueError: the file cannot be read, or has no numbers `coor`; the message has no path.
    """
    return _entries(read_variable(path, "coor"))


def read_ranges(path: Path) -> Ranges:
    """The variable `ranges`, `[3, shots]`.

    Raises:
        ValueError: as `read_boxes`.
    """
    values = read_variable(path, "ranges")
    if not isinstance(values, np.ndarray) or values.shape != (3, values.size // 3 or 1):
        raise ValueError(f"its 'ranges' should be 3 x shots numbers, got {_shown(values)}")
    values = values.astype(np.float64)
    whole = np.isfinite(values) & (values >= 0) & (values < _MOST_FRAMES)
    if not whole.all() or (values != np.floor(values)).any():
        raise ValueError("its 'ranges' should be whole numbers of at most eight digits")
    return Ranges(*values.astype(np.int64))


def read_ground_truth(path: Path, variable: str) -> list[GroundTruthEntry]:
    """The struct array `variable`: for each annotated frame its name and its boxes.

    Raises:
        ValueError: as `read_boxes`.
    """
    values = read_variable(path, variable)
    if _is_empty(values):
        return []
    if not isinstance(values, Structs) or len(values.fields) != 2:
        raise ValueError(
            f"its {variable!r} should be a struct array of two fields, got {_shown(values)}"
        )
    # By place: the fields' names are not documented.
    return [GroundTruthEntry(_text(name), _entries(boxes)) for name, boxes in values.entries]


def _entries(values: Value) -> list[np.ndarray]:
    """The boxes in cells of any nesting, in `[n, 4]` or in one row or column of four numbers."""
    if isinstance(values, Cells):
        return [entry for cell in values.entries for entry in _entries(cell)]
    if _is_empty(values):
        return []
    if not isinstance(values, np.ndarray):
        return [np.empty(0)]
    if values.ndim == 2 and values.shape[1] == 4:
        return list(values.astype(np.float64))
    return [values.ravel().astype(np.float64)]


def _text(value: Value) -> str | None:
    while isinstance(value, Cells) and len(value.entries) == 1:
        (value,) = value.entries
    return value if isinstance(value, str) and value else None


def _is_empty(values: Value) -> bool:
    return not values if isinstance(values, str) else 0 in values.shape


def _shown(values: Value) -> str:
    if isinstance(values, str):
        return f"the text {values[:80]!r}"
    kinds = {Cells: "cells", Structs: "a struct", Other: "something else"}
    kind = kinds.get(type(values)) or f"values of type {values.dtype}"
    return f"{' x '.join(map(str, values.shape))} {kind}"
