import pytest

from tcam_jax.data.builders.findings import Findings
from tcam_jax.data.builders.sources import SourceBox
from tcam_jax.data.builders.video_folder.box_file import (
    BOX_FILES,
    boxes_of_frames,
    find_box_file,
    not_read,
    read_boxes,
)
from tcam_jax.data.builders.video_folder.frame_names import FrameNames
from tcam_jax.data.builders.video_folder.named_boxes import BoxFile, NamedBox
from tcam_jax.runtime.errors import InputError
from tests.runtime.test_plain_files import pipe, sparse

FRAMES = ["cat/tom/0.jpg", "cat/tom/1.jpg", "cat/kit/0.jpg", "dog/rex/7.jpg"]


def matched(path, *named, whole_names=False):
    boxes = [
        NamedBox(frame, SourceBox(f"line {place}", (0.0, 0.0, 9.0, 9.0)), labels)
        for place, (frame, *labels) in enumerate(named)
    ]
    findings = Findings()
    file = BoxFile(path, boxes, "named", whole_names)
    known = boxes_of_frames(file, FrameNames(FRAMES), findings)
    return known, [(f.kind, f.where, f.detail) for f in findings.all]


def test_one_file_is_found_and_two_are_refused(tmp_path):
    assert find_box_file(tmp_path) is None
    for name in BOX_FILES:
        (tmp_path / name).touch()
        assert find_box_file(tmp_path) == tmp_path / name
        (tmp_path / name).unlink()
    (tmp_path / "boxes.json").touch()
    (tmp_path / "boxes.xml").mkdir()  # a class, if anything
    assert find_box_file(tmp_path) == tmp_path / "boxes.json"
    (tmp_path / "boxes.csv").touch()
    with pytest.raises(InputError, match=r"one file of boxes, got boxes\.csv and boxes\.json"):
        find_box_file(tmp_path)
    (tmp_path / "boxes.json").unlink()
    (tmp_path / "boxes.csv").unlink()
    (tmp_path / "boxes.csv").symlink_to("nowhere")
    with pytest.raises(InputError, match="boxes.csv is a link that leads nowhere"):
        find_box_file(tmp_path)


@pytest.mark.parametrize("name", BOX_FILES)
@pytest.mark.parametrize(
    ("make", "words"), [(pipe, "it is a named pipe"), (sparse, r"it has 1\.0 TB")]
)
def test_one_that_is_no_file_or_too_large_is_not_read(tmp_path, name, make, words):
    make(tmp_path / name)
    with pytest.raises(InputError, match=rf"{name} cannot be read \({words}.*; write the boxes"):
        find_box_file(tmp_path)


def test_what_may_be_boxes_under_another_name_gets_a_hint():
    told = "if these are boxes, call the file boxes.csv, boxes.json or boxes.xml"
    assert not_read("annotations.XML") == not_read("instances_default.json") == told
    assert not_read("notes.txt") == ""


def test_a_frame_that_is_not_there_is_named_with_the_nearest(tmp_path):
    found = ("cat/tom/0.jpg",)
    known, faults = matched(tmp_path, found, found, (r"cat\tom\1.jpg",), whole_names=True)
    assert {frame: len(boxes) for frame, boxes in known.items()} == {"cat/tom/0.jpg": 2}
    told = r"cat\tom\1.jpg; did you mean 'cat/tom/1.jpg'?"
    assert faults == [("box_without_frame", "line 2", told)]
    with pytest.raises(InputError, match="no box of .* can be used; the first: line 0: .*tom/1"):
        matched(tmp_path, ("tom/1.jpg",), whole_names=True)


def test_an_end_that_one_frame_has_will_do_where_tools_know_no_folders(tmp_path):
    path = tmp_path / "boxes.json"
    known, faults = matched(path, ("1.jpg",), ("rex/7.jpg",), ("0.jpg",), ("77.jpg",))
    assert list(known) == ["cat/tom/1.jpg", "dog/rex/7.jpg"]
    assert [fault[:2] for fault in faults] == [
        ("box_without_frame", "line 2"),
        ("box_without_frame", "line 3"),
        ("box_by_ending", str(path)),
    ]
    assert faults[0][2].startswith("0.jpg; cat/tom/0.jpg and cat/kit/0.jpg end so; write the path")
    assert faults[2][2] == "2 boxes, such as 1.jpg for cat/tom/1.jpg"


def test_a_label_that_is_another_class_is_no_box_of_the_tag(tmp_path):
    mine, other, meaningless, both = (
        ("cat/tom/0.jpg", *labels) for labels in (("Cat",), ("dog",), ("it",), ("dog", "cat"))
    )
    known, faults = matched(tmp_path, mine, other, meaningless, both)
    assert [box.where for box in known["cat/tom/0.jpg"]] == ["line 0", "line 2", "line 3"]
    assert faults == [("box_other_label", "line 1", "dog in cat/tom/0.jpg")]


def test_a_file_without_any_box_is_refused_and_an_empty_one_is_not(tmp_path):
    path = tmp_path / "boxes.csv"
    path.write_text("frame,x0,y0,x1,y1\n")
    assert read_boxes(path, Findings()).boxes == []
    path.write_text("frame,x0,y0,x1,y1\na,b,c,d,e\n")
    with pytest.raises(InputError, match=r"no box of boxes\.csv can be used; the first: .*line 2"):
        read_boxes(path, Findings())
