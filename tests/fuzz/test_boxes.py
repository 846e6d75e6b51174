"""Files of boxes: what is a box comes back as it was written, what is none is noted."""

import csv
import io
import json
import math
import tempfile
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from tcam_jax.data.builders.boxes import check_boxes
from tcam_jax.data.builders.findings import Findings
from tcam_jax.data.builders.sources import SourceBox
from tcam_jax.data.builders.video_folder.box_file import boxes_of_frames, read_boxes
from tcam_jax.data.builders.video_folder.boxes_coco import read_coco
from tcam_jax.data.builders.video_folder.boxes_csv import HEADER, read_csv
from tcam_jax.data.builders.video_folder.boxes_cvat import read_cvat
from tcam_jax.data.builders.video_folder.frame_names import FrameNames
from tests.fuzz import damage, outcome

NUMBERS = st.integers(-50, 2000) | st.floats(-50, 2000, width=32)
CORNERS = st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
FRAMES = damage.names(".jpg").map(lambda name: f"cat/v/{name}")
ROWS = st.lists(st.tuples(FRAMES, CORNERS), min_size=1, max_size=4)
ANYTHING = st.one_of(NUMBERS, st.floats(), damage.TEXT, damage.ODD)


def _read(reader, name: str, content: str | bytes):
    """What `reader` makes of a file of this content, and what it notes."""
    with tempfile.TemporaryDirectory() as folder:
        path, findings = Path(folder, name), Findings()
        content = content.encode() if isinstance(content, str) else content
        path.write_bytes(content)
        return outcome.of(lambda: reader(path, findings)), findings.all


def _written(rows) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _frames_and_corners(file):
    return [(named.frame, named.box.corners) for named in file.boxes]


@outcome.examples(40)
@given(ROWS)
def test_csv_comes_back(rows):
    file, noted = _read(read_csv, "boxes.csv", _written([HEADER, *((f, *c) for f, c in rows)]))
    assert _frames_and_corners(file) == [(frame.strip(), box) for frame, box in rows] and not noted


@outcome.examples(40)
@given(st.lists(st.lists(ANYTHING.map(str), min_size=1, max_size=7), max_size=4), st.data())
def test_each_line_of_csv_is_a_box_or_noted(rows, data):
    content = _written([HEADER, *rows]).encode("utf-8", "replace")
    file, noted = _read(read_csv, "boxes.csv", content)
    if not isinstance(file, outcome.Refused):
        assert len(file.boxes) + len(noted) == len(rows)
    _read(read_boxes, "boxes.csv", data.draw(damage.bytes_of(content)))


@outcome.examples(30)
@given(ROWS, st.data())
def test_via(rows, data):
    header = ["#filename", "file_size", "region_shape_attributes", "region_attributes"]

    def lines(regions):
        return [
            [frame, 0, json.dumps(r), "{}"] for (frame, _), r in zip(rows, regions, strict=True)
        ]

    regions = [
        {"name": "rect", "x": x, "y": y, "width": width, "height": height}
        for _, (x, y, width, height) in rows
    ]
    file, noted = _read(read_csv, "boxes.csv", _written([header, *lines(regions)]))
    wanted = [(frame.strip(), (x, y, x + w, y + h)) for frame, (x, y, w, h) in rows]
    assert _frames_and_corners(file) == wanted and not noted
    content = _written([header, *lines(data.draw(st.just(regions).flatmap(_same_length)))])
    file, noted = _read(read_csv, "boxes.csv", content)
    assert isinstance(file, outcome.Refused) or len(file.boxes) + len(noted) <= len(rows)


def _same_length(regions):
    return damage.json_of(regions).filter(
        lambda made: isinstance(made, list) and len(made) == len(regions)
    )


@outcome.examples(60)
@given(ROWS, st.data())
def test_coco(rows, data):
    images = [
        {"id": i, "file_name": frame, "width": 99, "height": 99.0}
        for i, (frame, _) in enumerate(rows)
    ]
    annotations = [
        {"id": 7, "image_id": i, "category_id": 0, "bbox": list(box)}
        for i, (_, box) in enumerate(rows)
    ]
    tree = {"images": images, "annotations": annotations, "categories": [{"id": 0, "name": "cat"}]}
    file, noted = _read(read_coco, "boxes.json", json.dumps(tree))
    wanted = [(frame.strip(), (x, y, x + w, y + h)) for frame, (x, y, w, h) in rows]
    assert _frames_and_corners(file) == wanted and not noted
    made = data.draw(damage.json_of(tree))
    file, noted = _read(read_coco, "boxes.json", json.dumps(made))
    if not isinstance(file, outcome.Refused):
        about_boxes = [finding for finding in noted if " annotation " in finding.where]
        assert len(file.boxes) + len(about_boxes) == len(made["annotations"])
    _read(read_boxes, "boxes.json", data.draw(damage.bytes_of(json.dumps(tree).encode())))


@outcome.examples(40)
@given(ROWS, st.data())
def test_cvat(rows, data):
    shapes = "".join(
        f"<image id='{i}' name={quoteattr(frame)} width='99' height='99'><box label='cat' "
        f"xtl='{x0}' ytl='{y0}' xbr='{x1}' ybr='{y1}'/></image>"
        for i, (frame, (x0, y0, x1, y1)) in enumerate(rows)
    )
    content = f"<annotations>{shapes}</annotations>"
    file, noted = _read(read_cvat, "boxes.xml", content)
    if not isinstance(file, outcome.Refused):  # some characters XML does not know
        assert [named.box.corners for named in file.boxes] == [box for _, box in rows]
        assert not noted
    _read(read_boxes, "boxes.xml", data.draw(damage.bytes_of(content.encode())))


@outcome.examples(60)
@given(st.lists(FRAMES, min_size=1, max_size=6, unique=True), st.data())
def test_boxes_find_their_frames(frames, data):
    frames = [frame.strip() for frame in frames]
    odd = st.one_of(FRAMES, damage.names(), damage.TEXT, st.just("cat/v/0001.jpg"))
    asked = data.draw(st.lists(st.sampled_from(frames) | odd, min_size=1, max_size=5))
    content = _written([HEADER, *([name, 1, 2, 30, 40] for name in asked)])
    names = FrameNames(frames)
    file, noted = _read(read_csv, "boxes.csv", content.encode("utf-8", "replace"))
    findings = Findings()
    found = outcome.of(lambda: boxes_of_frames(file, names, findings))
    if isinstance(found, outcome.Refused):
        assert not {name.strip() for name in asked} & set(frames)
        return
    assert sum(map(len, found.values())) + len(findings.all) == len(asked)
    for name in set(frames) & {name.strip() for name in asked}:
        assert len(found[name]) >= sum(one.strip() == name for one in asked)


@outcome.examples(100)
@given(
    st.tuples(*[st.floats() | NUMBERS.map(float)] * 4),
    st.tuples(*[st.integers(1, 5000)] * 2),
    st.none() | st.tuples(*[st.integers(1, 1_000_000)] * 2),
)
@example((100.0, 0.0, 100.000001, 50.0), (200, 200), None)
def test_usable_boxes_lie_in_their_image_and_have_an_area(corners, size, stated):
    boxes, noted = check_boxes([SourceBox("here", corners, stated)], *size)
    assert len(boxes) or noted
    for x0, y0, x1, y1 in boxes:
        assert 0 <= x0 < x1 <= size[0] and 0 <= y0 < y1 <= size[1]
    if stated is None and all(map(math.isfinite, corners)) and not noted:
        assert np.array_equal(boxes[0], np.float32(corners))
