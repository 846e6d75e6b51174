"""`boxes.csv`: the boxes of a user's frames, checked line by line."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tcam_jax.errors import InputError

HEADER = ["frame", "x0", "y0", "x1", "y1"]


class BoxRow(NamedTuple):
    """One box: its line in the file and x0, y0, x1, y1 in pixels."""

    source: str
    box: tuple[float, float, float, float]


def read_boxes(path: Path, known_frames: set[str]) -> dict[str, list[BoxRow]]:
    """Reads the boxes of every frame named in `path`; no file, no boxes.

    The header is `frame,x0,y0,x1,y1`; `frame` is relative to the folder of `path`, such as
    `bird/video1/shot1/0001.jpg`; a frame may have several lines.

    Raises:
        InputError: another header, a line that is no box, an inverted box, or a frame that is not
            in `known_frames`; the message names the line.
    """
    boxes: dict[str, list[BoxRow]] = {}
    if not path.exists():
        return boxes
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = csv.reader(file)
        header = [name.strip() for name in next(lines, [])]
        if header != HEADER:
            raise InputError(
                f"{path} line 1: expected the header {','.join(HEADER)}, got {','.join(header)!r}"
            )
        for fields in lines:
            if not fields:
                continue
            source = f"{path} line {lines.line_num}"
            try:
                frame, *numbers = fields
                x0, y0, x1, y1 = map(float, numbers)
            except ValueError as error:
                raise InputError(
                    f"{source}: expected {','.join(HEADER)} with four numbers, got {fields}"
                ) from error
            frame = frame.strip()
            if frame not in known_frames:
                raise InputError(
                    f"{source}: there is no frame {frame!r}; expected a path relative to "
                    f"{path.parent}, such as class/video/shot/0001.jpg"
                )
            # Written so that a NaN fails too.
            if not (x0 < x1 and y0 < y1):
                raise InputError(f"{source}: expected x0 < x1 and y0 < y1, got {fields[1:]}")
            boxes.setdefault(frame, []).append(BoxRow(source, (x0, y0, x1, y1)))
    return boxes


def check_inside(rows: Iterable[BoxRow], width: int, height: int) -> None:
    """Raises InputError, naming the line, for a box that leaves its image (size in pixels)."""
    for source, (x0, y0, x1, y1) in rows:
        if x0 < 0 or y0 < 0 or x1 > width or y1 > height:
            raise InputError(
                f"{source}: the box {(x0, y0, x1, y1)} leaves its image of {width} x {height} "
                "pixels (width x height); mend the box"
            )
