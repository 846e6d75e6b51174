"""`boxes.csv`: boxes of a user's frames, a line each, ours or as VIA 2 exports them."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

from tcam_jax.data.builders.findings import Finding, Findings
from tcam_jax.data.builders.sources import SourceBox
from tcam_jax.data.builders.video_folder.named_boxes import (
    NOT_AS_EXPECTED,
    BoxFile,
    NamedBox,
    from_corners,
    from_sizes,
)
from tcam_jax.runtime.errors import InputError

HEADER = ["frame", "x0", "y0", "x1", "y1"]

# Columns of VGG Image Annotator, version 2 (https://www.robots.ox.ac.uk/~vgg/software/via).
_VIA_FRAME, _VIA_SHAPE, _VIA_LABELS = "filename", "region_shape_attributes", "region_attributes"
_VIA_BOXES = ("rect", "extreme_rect")

_Lines = Iterator[tuple[str, list[str]]]


def read_csv(path: Path, findings: Findings) -> BoxFile:
    """Reads `path`, whose header says which of two formats it has.

    Ours: `frame,x0,y0,x1,y1`; `frame` is relative to the folder of `path`, such as
    `bird/video1/shot1/0001.jpg`; a frame may have several lines. VIA's: among others the columns
    `filename`, `region_shape_attributes` and `region_attributes`, the latter two in JSON. A line
    that is no box is left out and noted; geometry is checked with the image.

    Raises:
        InputError: the file is no CSV text, or has another header.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = csv.reader(file)
            header = [name.strip() for name in next(lines, [])]
            content = ((f"{path} line {lines.line_num}", line) for line in lines if line)
            if header == HEADER:
                return BoxFile(path, list(_own_boxes(content, findings)), "corners", True)
            # VIA 1 has a # before the first name.
            columns = [name.removeprefix("#").strip() for name in header]
            if _VIA_SHAPE in columns and _VIA_FRAME in columns:
                boxes = list(_via_boxes(content, columns, findings))
                return BoxFile(path, boxes, "named", False)
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise InputError(f"{path} cannot be read as CSV in UTF-8 ({error}); save it so") from error
    if any("VGG Image Annotator" in name for name in header):
        raise InputError(
            f"{path} is an export of VIA 3, expected one of VIA 2 ({_VIA_FRAME},…,{_VIA_SHAPE},…); "
            "export COCO from VIA 3 and name it boxes.json"
        )
    raise InputError(
        f"{path} line 1: expected the header {','.join(HEADER)}, got {','.join(header)!r}; write "
        "it, and corners in pixels below it (VIA's exports have a header of their own)"
    )


def _own_boxes(lines: _Lines, findings: Findings) -> Iterator[NamedBox]:
    for where, fields in lines:
        try:
            frame, *numbers = fields
            corners = from_corners(numbers)
        except ValueError:
            wanted = f"expected {','.join(HEADER)} with four numbers, got {fields}"
            findings.add(Finding("box_malformed", where, wanted))
            continue
        yield NamedBox(frame.strip(), SourceBox(where, corners))


def _via_boxes(lines: _Lines, columns: list[str], findings: Findings) -> Iterator[NamedBox]:
    for where, fields in lines:
        row = dict(zip(columns, fields, strict=False))
        corners = None
        try:
            region = json.loads(row[_VIA_SHAPE])
            if not region:  # an image without regions has a line too
                continue
            if region["name"] in _VIA_BOXES:
                corners = from_sizes([region[key] for key in ("x", "y", "width", "height")])
            labels = _texts(json.loads(row.get(_VIA_LABELS) or "{}"))
        except (*NOT_AS_EXPECTED, AttributeError, RecursionError):
            wanted = f"expected {_VIA_SHAPE} with a rect of four numbers, got {fields}"
            findings.add(Finding("box_malformed", where, wanted))
            continue
        if corners is None:
            findings.add(Finding("box_other_shape", where, f"it is a {region['name']}"))
            continue
        yield NamedBox(row[_VIA_FRAME].strip(), SourceBox(where, corners), labels)


def _texts(attributes: dict[str, object]) -> tuple[str, ...]:
    """What was written or chosen; of check boxes, {"cat": true}, the names of those ticked."""
    texts = []
    for value in attributes.values():
        if isinstance(value, str):
            texts.append(value)
        elif isinstance(value, dict):
            texts += [name for name, ticked in value.items() if ticked]
    return tuple(texts)
