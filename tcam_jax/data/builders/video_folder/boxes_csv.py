"""`boxes.csv`: the boxes of a user's frames, checked line by line."""

import csv
from pathlib import Path

from tcam_jax.data.builders.findings import Finding, Findings
from tcam_jax.data.builders.sources import SourceBox
from tcam_jax.runtime.errors import InputError

HEADER = ["frame", "x0", "y0", "x1", "y1"]


def read_boxes(path: Path, findings: Findings) -> dict[str, list[SourceBox]]:
    """Reads the boxes of every frame named in `path`.

    The header is `frame,x0,y0,x1,y1`; `frame` is relative to the folder of `path`, such as
    `bird/video1/shot1/0001.jpg`; a frame may have several lines. A line that is no box is left out
    and noted; geometry is checked with the image.

    Raises:
        InputError: the file is no CSV text, has another header, or no line of it is a box.
    """
    noted = len(findings.all)
    try:
        boxes = _read(path, findings)
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise InputError(f"{path} cannot be read as CSV in UTF-8 ({error}); save it so") from error
    return _some(boxes, findings.all[noted:])


def boxes_of_frames(
    boxes: dict[str, list[SourceBox]], frames: set[str], findings: Findings
) -> dict[str, list[SourceBox]]:
    """The boxes of frames that are there; the others are noted.

    Raises:
        InputError: there are boxes, but none of a frame that is there.
    """
    noted = len(findings.all)
    known = {}
    for name, of_frame in boxes.items():
        if name in frames:
            known[name] = of_frame
            continue
        for box in of_frame:
            findings.add(Finding("box_without_frame", box.where, name))
    return _some(known, findings.all[noted:])


def _some(boxes: dict[str, list[SourceBox]], faults: list[Finding]) -> dict[str, list[SourceBox]]:
    if not boxes and faults:
        raise InputError(f"no line of boxes.csv can be used; the first: {faults[0]}")
    return boxes


def _read(path: Path, findings: Findings) -> dict[str, list[SourceBox]]:
    boxes: dict[str, list[SourceBox]] = {}
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
            except ValueError:
                wanted = f"expected {','.join(HEADER)} with four numbers, got {fields}"
                findings.add(Finding("box_malformed", source, wanted))
                continue
            boxes.setdefault(frame.strip(), []).append(SourceBox(source, (x0, y0, x1, y1)))
    return boxes
