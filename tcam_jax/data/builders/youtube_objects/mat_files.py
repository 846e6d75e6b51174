"""The MATLAB files of YouTube-Objects: boxes of one frame, ranges of shots, ground truth."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.io

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
    return _entries(_read_variable(path, "coor"))


def read_ranges(path: Path) -> Ranges:
    """The variable `ranges`, `[3, shots]`.

    Raises:
        ValueError: as `read_boxes`.
    """
    values = _read_variable(path, "ranges")
    if values.ndim != 2 or len(values) != 3 or not values.size or values.dtype.kind not in "iuf":
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
    values = _read_variable(path, variable)
    if not values.size:
        return []
    if not values.dtype.names or len(values.dtype.names) != 2:
        raise ValueError(
            f"its {variable!r} should be a struct array of two fields, got {_shown(values)}"
        )
    # By place: the fields' names are not documented.
    name_field, boxes_field = values.dtype.names
    return [
        GroundTruthEntry(_text(entry[name_field]), _entries(np.asarray(entry[boxes_field])))
        for entry in values.ravel()
    ]


def _read_variable(path: Path, name: str) -> np.ndarray:
    try:
        content = scipy.io.loadmat(path, appendmat=False)
    except NotImplementedError as error:
        raise ValueError(
            "it is a MATLAB 7.3 (HDF5) file, not the published one; save it with -v7"
        ) from error
    except Exception as error:  # scipy raises many types for damaged files
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(f"it cannot be read as a MATLAB file: {reason}") from error
    if name not in content:
        found = ", ".join(key for key in content if not key.startswith("__")) or "nothing"
        raise ValueError(f"it has no variable {name!r}, but {found}")
    return np.asarray(content[name])


def _entries(values: np.ndarray) -> list[np.ndarray]:
    """The boxes in cells of any nesting, in `[n, 4]` or in one row or column of four numbers."""
    if values.dtype.kind == "O":
        return [entry for cell in values.ravel() for entry in _entries(np.asarray(cell))]
    if not values.size:
        return []
    if values.dtype.kind not in "iuf":
        return [np.empty(0)]
    if values.ndim == 2 and values.shape[1] == 4:
        return list(values.astype(np.float64))
    return [values.ravel().astype(np.float64)]


def _text(values: np.ndarray) -> str | None:
    values = np.asarray(values)
    while values.dtype.kind == "O" and values.size == 1:
        values = np.asarray(values.item())
    return str(values.item()) if values.dtype.kind == "U" and values.size == 1 else None


def _shown(values: np.ndarray) -> str:
    kind = "a struct" if values.dtype.names else f"values of type {values.dtype}"
    return f"{' x '.join(map(str, values.shape))} {kind}"
