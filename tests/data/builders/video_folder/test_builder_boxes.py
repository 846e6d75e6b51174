"""A user's boxes, from their file to the records: names, conventions, formats."""

import pytest

from tcam_jax.data.builders.registry import prepare, validate
from tcam_jax.data.builders.video_folder import builder
from tcam_jax.data.records import open_split
from tests.data.builders.video_folder.test_builder import SPLITS, write_frames
from tests.data.builders.video_folder.test_video_files import scenes, write_video


def report_of(root, data_dir):
    return {
        kind: found["count"]
        for kind, found in validate("video_folder", "mine", data_dir, root)["findings"].items()
    }


def boxes_in(data_dir):
    found = {}
    for split in SPLITS:
        opened = open_split(data_dir, "video_folder", "mine", split)
        for example in opened.read(range(opened.table.num_records)):
            if len(example["boxes"]):
                found[example["frame_id"]] = example["boxes"].tolist()
    return found


def write_csv(root, lines):
    (root / "boxes.csv").write_text("frame,x0,y0,x1,y1\n" + "".join(f"{line}\n" for line in lines))


@pytest.mark.parametrize("call", [prepare, validate])
def test_boxes_in_shares_are_refused_before_a_video_is_decoded(tmp_path, monkeypatch, call):
    root = write_frames(tmp_path / "src", {f"a/v{v}/s": 3 for v in range(3)})
    write_csv(root, [f"a/v0/s/f{n}.jpg,0.17,0.25,0.67,0.75" for n in range(3)])
    monkeypatch.setattr(builder, "list_shots", None)
    with pytest.raises(ValueError, match=r"boxes\.csv: expected boxes in pixels, got 3 of 3"):
        call("video_folder", "mine", tmp_path / "data", root)


def test_boxes_with_width_and_height_are_doubted_and_stop_a_strict_preparation(tmp_path):
    root = write_frames(tmp_path / "src", {f"a/v{v}/s": 3 for v in range(3)})
    write_csv(root, [f"a/v{v}/s/f{n}.jpg,{10 + n},5,{9 + n},6" for n in range(3) for v in range(3)])
    assert report_of(root, tmp_path / "data") == {"boxes_convention": 1, "box_inverted": 9}
    with pytest.raises(
        ValueError, match=r"0 of 9 boxes looked at fit their frames so, and 9 as x,"
    ):
        prepare("video_folder", "mine", tmp_path / "data", root, strict=True)


NFC, NFD = "caf\u00e9", "cafe\u0301"


@pytest.mark.parametrize(("in_folder", "in_file"), [(NFD, NFC), (NFC, NFD)])
def test_names_meet_whatever_their_unicode_form(tmp_path, in_folder, in_file):
    shots = {f"{in_folder}/{in_folder}{v}/s": 3 for v in range(3)}
    root = write_frames(tmp_path / "src", {**shots, "dog/v/s": 9})
    write_csv(root, [f"{in_file}/{in_file}{v}/s/f1.jpg,1,2,9,8" for v in range(3)])
    prepare("video_folder", "mine", tmp_path / "data", root, strict=True)
    named = {f"{in_folder}/{in_folder}{v}/s/f1.jpg": [[1, 2, 9, 8]] for v in range(3)}
    assert boxes_in(tmp_path / "data") == named
    train = open_split(tmp_path / "data", "video_folder", "mine", "train")
    assert train.class_names == (NFC, "dog")


def test_two_folders_that_look_the_same_are_named_once(tmp_path):
    root = write_frames(tmp_path / "src", {f"a/{v}/s": 3 for v in (NFD, NFC, "dog")})
    write_csv(root, [f"a/{NFC}/s/f1.jpg,1,2,9,8", f"a/{NFD}/s/f2.jpg,1,2,9,8"])
    assert report_of(root, tmp_path / "data") == {"same_name": 1}
    prepare("video_folder", "mine", tmp_path / "data", root)
    assert set(boxes_in(tmp_path / "data")) == {f"a/{NFC}/s/f1.jpg", f"a/{NFD}/s/f2.jpg"}
    with pytest.raises(ValueError, match="names that look the same"):
        prepare("video_folder", "strict", tmp_path / "data", root, strict=True)


def test_tracks_of_cvat_meet_the_frames_of_a_video_file(tmp_path):
    root = write_frames(tmp_path / "src", {f"dog/v{v}/s": 3 for v in range(3)})
    write_video(root / "cat/tom.mp4", scenes((9,)))
    (root / "boxes.xml").write_text(
        "<annotations><meta><task><id>1</id><source>tom.mp4</source></task></meta>"
        '<track id="0" label="cat">'
        '<box frame="2" outside="0" xtl="1" ytl="2" xbr="30" ybr="40"/>'
        '<box frame="7" outside="0" xtl="3" ytl="2" xbr="30" ybr="40"/>'
        '<box frame="8" outside="1" xtl="3" ytl="2" xbr="30" ybr="40"/></track></annotations>'
    )
    prepare("video_folder", "mine", tmp_path / "data", root, strict=True)
    assert boxes_in(tmp_path / "data") == {
        "cat/tom.mp4/000002.jpg": [[1, 2, 30, 40]],
        "cat/tom.mp4/000007.jpg": [[3, 2, 30, 40]],
    }


@pytest.mark.parametrize("name", ["boxes.csv", "boxes.json"])
def test_other_boxes_make_another_dataset(tmp_path, name):
    root = write_frames(tmp_path / "src", {f"a/v{v}/s": 3 for v in range(3)})
    lines = '{"images": [], "annotations": [], "n": 1}', "frame,x0,y0,x1,y1\na/v0/s/f1.jpg,1,2,9,8"
    text = lines[name == "boxes.csv"]
    (root / name).write_text(text)
    prepare("video_folder", "mine", tmp_path / "data", root)
    (root / name).write_text(text.replace("1", "2"))
    with pytest.raises(ValueError, match="was prepared with boxes="):
        prepare("video_folder", "mine", tmp_path / "data", root)
