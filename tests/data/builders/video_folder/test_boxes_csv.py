import pytest

from tcam_jax.data.builders.findings import Findings
from tcam_jax.data.builders.video_folder.boxes_csv import boxes_of_frames, read_boxes

KNOWN = {"a/v/s/0.jpg", "a/v/s/1.jpg"}


def test_reads_lines_with_spaces_and_a_byte_order_mark(tmp_path):
    path = tmp_path / "boxes.csv"
    text = "\ufeffframe, x0,y0,x1,y1\r\na/v/s/0.jpg,0,1,2,3\r\n\r\na/v/s/0.jpg,4,5,6.5,7\r\n"
    path.write_text(text, newline="")
    boxes = read_boxes(path, Findings())
    assert list(boxes) == ["a/v/s/0.jpg"]
    assert [row.corners for row in boxes["a/v/s/0.jpg"]] == [(0, 1, 2, 3), (4, 5, 6.5, 7)]


@pytest.mark.parametrize("text", ["", "a/v/s/0.jpg,0,1,2,3\n"])
def test_another_header_is_refused(tmp_path, text):
    path = tmp_path / "boxes.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match="line 1: expected the header frame,x0,y0,x1,y1, got"):
        read_boxes(path, Findings())


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("a/v/s/7.jpg,0,1,2,3", "box_without_frame"),
        ("a/v/s/0.jpg,0,1,2", "box_malformed"),
        ("a/v/s/0.jpg,0,1,2,x", "box_malformed"),
    ],
)
def test_a_line_that_cannot_be_used_is_left_out_and_named(tmp_path, line, kind):
    path = tmp_path / "boxes.csv"
    path.write_text(f"frame,x0,y0,x1,y1\na/v/s/0.jpg,0,1,2,3\n{line}\na/v/s/1.jpg,0,1,2,3\n")
    findings = Findings()
    boxes = boxes_of_frames(read_boxes(path, findings), KNOWN, findings)
    assert list(boxes) == ["a/v/s/0.jpg", "a/v/s/1.jpg"]
    assert [(f.kind, f.where) for f in findings.all] == [(kind, f"{path} line 3")]
