"""What a file of boxes says, in whatever format: boxes, and the names of their frames."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from tcam_jax.data.builders.sources import SourceBox

Corners = tuple[float, float, float, float]

# Errors of what a file holds where a number, a list or a key is expected.
NOT_AS_EXPECTED = (ValueError, TypeError, KeyError, IndexError, OverflowError)

_LARGEST_SIDE = 1_000_000  # pixels; more is no image's size


class NamedBox(NamedTuple):
    """One box: the name of its frame as the file has it, and the labels given to the box."""

    frame: str
    box: SourceBox
    labels: tuple[str, ...] = ()


class BoxFile(NamedTuple):
    """All boxes of one file, in its order.

    `numbers`: how the file's four numbers were read where nothing in it names them one by one.
    `whole_names`: frames are named by their path from the dataset's folder, which the tools of some
    formats do not know; otherwise an end of it that no other frame has will do.
    """

    path: Path
    boxes: list[NamedBox]
    numbers: Literal["corners", "sizes", "named"]
    whole_names: bool


def from_corners(values: Sequence[Any]) -> Corners:
    """Numbers x0, y0, x1, y1 as they are; raises one of `NOT_AS_EXPECTED` where they are none."""
    x0, y0, x1, y1 = map(float, values)
    return x0, y0, x1, y1


def from_sizes(values: Sequence[Any]) -> Corners:
    """Corners of x, y, width, height; raises one of `NOT_AS_EXPECTED` where they are none."""
    x, y, width, height = map(float, values)
    return x, y, x + width, y + height


def stated_size(entry: Mapping[str, Any]) -> tuple[int, int] | None:
    """`width` and `height` of an entry of a file, None where they are not there or no sizes."""
    try:
        width, height = int(entry["width"]), int(entry["height"])
    except NOT_AS_EXPECTED:
        return None
    possible = 0 < width <= _LARGEST_SIDE and 0 < height <= _LARGEST_SIDE
    return (width, height) if possible else None
