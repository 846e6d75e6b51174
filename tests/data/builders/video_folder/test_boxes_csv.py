import json

import pytest

from tcam_jax.data.builders.findings import Findings
from tcam_jax.data.builders.video_folder.boxes_csv import read_csv
from tcam_jax.runtime.errors import InputError

VIA = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,"
VIA += "region_attributes\n"
RECT = {"name": "rect", "x": 4, "y": 5, "width": 6, "height": 7.5}


def via_line(shape: object, attributes: object = (), name: str = "0.jpg") -> str:
    cells = [shape if isinstance(shape, str) else json.dumps(shape), json.dumps(dict(attributes))]
    shape, attributes = (cell.replace('"', '""') for cell in cells)
    return f'{name},812,"{{}}",1,0,"{shape}","{attributes}"\n'


def read(path, text):
    path.write_text(text, newline="")
    findings = Findings()
    return read_csv(path, findings), [(finding.kind, finding.where) for finding in findings.all]


def test_reads_lines_with_spaces_and_a_byte_order_mark(tmp_path):
    path = tmp_path / "boxes.csv"
    text = "\ufeffframe, x0,y0,x1,y1\r\na/v/0.jpg,0,1,2,3\r\n\r\n a/v/0.jpg ,4,5,6.5,7\r\n"
    file, faults = read(path, text)
    assert [(named.frame, named.box.corners) for named in file.boxes] == [
        ("a/v/0.jpg", (0, 1, 2, 3)),
        ("a/v/0.jpg", (4, 5, 6.5, 7)),
    ]
    assert (file.numbers, file.whole_names, faults) == ("corners", True, [])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1: expected the header frame,x0,y0,x1,y1, got"),
        ("a/v/s/0.jpg,0,1,2,3\n", "line 1: expected the header frame,x0,y0,x1,y1, got"),
        ("# Exported using VGG Image Annotator (https://…)\n", "export of VIA 3, expected .*VIA 2"),
        (f"{VIA}\0,\n", "cannot be read as CSV|box_malformed"),
    ],
)
def test_another_header_is_refused(tmp_path, text, told):
    path = tmp_path / "boxes.csv"
    if "\0" in text:
        path.write_bytes("frame,ü".encode("utf-16"))
        told = "cannot be read as CSV in UTF-8"
    else:
        path.write_text(text)
    with pytest.raises(InputError, match=told):
        read_csv(path, Findings())


@pytest.mark.parametrize("line", ["a/v/s/0.jpg,0,1,2", "a/v/s/0.jpg,0,1,2,x"])
def test_a_line_that_is_no_box_is_left_out_and_named(tmp_path, line):
    path = tmp_path / "boxes.csv"
    file, faults = read(path, f"frame,x0,y0,x1,y1\na,0,1,2,3\n{line}\nb,0,1,2,3\n")
    assert [named.frame for named in file.boxes] == ["a", "b"]
    assert faults == [("box_malformed", f"{path} line 3")]


@pytest.mark.parametrize("mark", ["", "#"])  # VIA 1 has the mark
def test_vias_rectangles_have_corners_and_labels(tmp_path, mark):
    text = mark + VIA + via_line(RECT, {"class": "cat"}) + via_line({}, name="1.jpg")
    text += via_line(RECT, {"class": {"cat": True, "dog": False}, "note": "left"}, "2.jpg")
    file, faults = read(tmp_path / "boxes.csv", text)
    assert [(named.frame, named.box.corners, named.labels) for named in file.boxes] == [
        ("0.jpg", (4, 5, 10, 12.5), ("cat",)),
        ("2.jpg", (4, 5, 10, 12.5), ("cat", "left")),
    ]
    assert (file.numbers, file.whole_names, faults) == ("named", False, [])


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ({"name": "polygon", "all_points_x": [1, 2, 3]}, "box_other_shape"),
        ({"name": "circle", "cx": 3}, "box_other_shape"),
        ({"name": "rect", "x": 1}, "box_malformed"),
        ({**RECT, "x": None}, "box_malformed"),
        ({**RECT, "x": 10**400}, "box_malformed"),
        ([1, 2, 3, 4], "box_malformed"),
        ("{broken", "box_malformed"),
    ],
)
def test_vias_other_regions_are_left_out_and_named(tmp_path, shape, kind):
    path = tmp_path / "boxes.csv"
    file, faults = read(path, VIA + via_line(shape) + via_line(RECT))
    assert len(file.boxes) == 1 and faults == [(kind, f"{path} line 2")]


def test_a_strict_reading_names_the_fault_itself(tmp_path):
    path = tmp_path / "boxes.csv"
    path.write_text(VIA + via_line({"name": "polygon"}))
    with pytest.raises(InputError, match="line 2: a region that is no upright rectangle"):
        read_csv(path, Findings(strict=True))
