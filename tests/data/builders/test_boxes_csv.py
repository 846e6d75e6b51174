import pytest

from tcam_jax.data.builders.boxes_csv import check_inside, read_boxes

KNOWN = {"a/v/s/0.jpg", "a/v/s/1.jpg"}


def test_reads_lines_with_spaces_and_a_byte_order_mark(tmp_path):
    path = tmp_path / "boxes.csv"
    text = "\ufeffframe, x0,y0,x1,y1\r\na/v/s/0.jpg,0,1,2,3\r\n\r\na/v/s/0.jpg,4,5,6.5,7\r\n"
    path.write_text(text, newline="")
    boxes = read_boxes(path, KNOWN)
    assert list(boxes) == ["a/v/s/0.jpg"]
    assert [row.box for row in boxes["a/v/s/0.jpg"]] == [(0, 1, 2, 3), (4, 5, 6.5, 7)]
    check_inside(boxes["a/v/s/0.jpg"], width=7, height=7)


def test_no_file_no_boxes(tmp_path):
    assert read_boxes(tmp_path / "boxes.csv", KNOWN) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"line 1: expected the header frame,x0,y0,x1,y1, got ''"),
        ("a/v/s/0.jpg,0,1,2,3\n", "line 1: expected the header"),
        ("frame,x0,y0,x1,y1\na/v/s/0.jpg,0,1,2,3\na/v/s/7.jpg,0,1,2,3\n", "line 3: there is no"),
        ("frame,x0,y0,x1,y1\na/v/s/0.jpg,0,1,2\n", "line 2: expected .* four numbers"),
        ("frame,x0,y0,x1,y1\na/v/s/0.jpg,0,1,2,x\n", "line 2: expected .* four numbers"),
        ("frame,x0,y0,x1,y1\na/v/s/0.jpg,2,1,2,3\n", "line 2: expected x0 < x1 and y0 < y1"),
        ("frame,x0,y0,x1,y1\na/v/s/0.jpg,0,nan,2,3\n", "line 2: expected x0 < x1 and y0 < y1"),
    ],
)
def test_refuses(tmp_path, text, message):
    path = tmp_path / "boxes.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_boxes(path, KNOWN)


@pytest.mark.parametrize("box", ["-1,0,5,5", "0,-1,5,5", "0,0,11,5", "0,0,5,9"])
def test_boxes_outside_the_image(tmp_path, box):
    path = tmp_path / "boxes.csv"
    path.write_text(f"frame,x0,y0,x1,y1\na/v/s/0.jpg,{box}\n")
    rows = read_boxes(path, KNOWN)["a/v/s/0.jpg"]
    with pytest.raises(ValueError, match=r"boxes\.csv line 2: the box .* image of 10 x 8 pixels"):
        check_inside(rows, width=10, height=8)
