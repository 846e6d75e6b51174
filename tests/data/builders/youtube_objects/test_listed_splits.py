"""What may be wrong between lists and the files; each has its rule."""

from pathlib import Path

import pytest

from tests.data.builders.hand_made import jpeg
from tests.data.builders.youtube_objects import raw_layouts
from tests.data.builders.youtube_objects.listing import boxes, list_splits, names

CONTENT = raw_layouts.make_content()


@pytest.fixture
def root(tmp_path) -> Path:
    return raw_layouts.write_v1(tmp_path / "raw", CONTENT)


@pytest.fixture
def lists(tmp_path) -> Path:
    return raw_layouts.v1_lists(tmp_path / "lists", CONTENT)


def add(lists: Path, split: str, name: str, label: int, box: str = "") -> str:
    """Adds an id, and where its box then stands."""
    for file, line in (("image_ids", name), ("class_labels", f"{name},{label}")):
        with (lists / split / f"{file}.txt").open("a") as opened:
            opened.write(f"{line}\n")
    if box:
        with (lists / split / "image_sizes.txt").open("a") as opened:
            opened.write(f"{name},32,24\n")
        with (lists / split / "localization.txt").open("a") as opened:
            opened.write(f"{name},{box}\n")
    path = lists / split / "localization.txt"
    return f"{path} line {len(path.read_text().splitlines())}"


def listed(root: Path, lists: Path):
    return list_splits("v1.0", root, splits_dir=str(lists))


def test_clean_lists_have_no_fault_and_need_no_annotations_of_the_authors(root, lists):
    by_rule, _ = list_splits("v1.0", root)
    for mat in root.glob("*/data/*/shots/*/*.mat"):
        mat.unlink()
    for file in root.glob("*/sets/*.txt"):
        file.unlink()
    found_splits, found = listed(root, lists)
    assert found == []
    for split in ("train", "validation", "test"):
        assert boxes(found_splits, split) == boxes(by_rule, split)
        assert names(found_splits, split) == names(by_rule, split)  # the order too


def test_lists_of_v2_need_no_ground_truth(tmp_path):
    root = raw_layouts.write_v2(tmp_path / "raw", CONTENT)
    by_rule, _ = list_splits("v2.2", root)
    for mat in root.glob("GroundTruth/*/*.mat"):
        mat.unlink()
    lists = raw_layouts.v2_lists(tmp_path / "lists", CONTENT)
    found_splits, found = list_splits("v2.2", root, splits_dir=str(lists))
    assert found == []
    assert [boxes(found_splits, split) for split in by_rule] == [
        boxes(by_rule, split) for split in by_rule
    ]


def test_frames_and_shots_may_be_mixed_in_one_list(root, lists):
    # Video 2 is in the list of test: listed for training too, it is told of once.
    add(lists, "train", "bird/data/0002/shots/002/frame0019.jpg", 0)
    add(lists, "train", "bird/data/0002/shots/002/frame0001.jpg", 0)
    add(lists, "train", "bird/data/0005/shots/001/frame0001.jpg", 0)
    add(lists, "train", "bird/data/0005/shots/001", 0)
    add(lists, "train", "bird/data/0005/shots/001/frame0010.jpg", 0)
    splits, found = listed(root, lists)
    assert [frame.frame_id[-8:] for frame in splits["train"]["bird/0002/002"]] == [
        "0001.jpg",
        "0019.jpg",
    ]
    assert len(splits["train"]["bird/0005/001"]) == 3
    assert sorted(found) == [
        ("video_in_two_splits", "bird/0002", "train and test"),
        ("video_in_two_splits", "bird/0005", "train and test"),
    ]


def test_a_frame_listed_without_a_box_is_kept(root, lists):
    name = "bird/data/0002/shots/001/frame0019.jpg"
    add(lists, "test", name, 0)
    splits, found = listed(root, lists)
    assert found == [] and boxes(splits, "test")[name] == []


def test_boxes_for_another_size_are_rescaled(root, lists):
    name = "bird/data/0002/shots/001/frame0010.jpg"
    (root / name).write_bytes(jpeg(1, 64, 36))  # twice as wide, one and a half as high
    splits, ((kind, where, detail),) = listed(root, lists)
    # As in raw_layouts.make_content: 1.5, 2, 20, 18.25.
    assert boxes(splits, "test")[name] == [(3, 3, 40, 27.375)]
    assert kind == "box_rescaled" and str(lists / "test/localization.txt line") in where
    assert detail == "the list has 32 x 24, the file 64 x 36 pixels"


def test_a_damaged_frame_is_left_to_those_who_decode(root, lists):
    name = "bird/data/0002/shots/001/frame0010.jpg"
    (root / name).write_bytes(b"")
    splits, found = listed(root, lists)
    assert found == [] and boxes(splits, "test")[name] == [(1.5, 2, 20, 18.25)]


@pytest.mark.parametrize(
    "name", ["bird/data/0002/shots/001/frame7777.jpg", "bird/data/7777/shots/001/frame0001.jpg"]
)
def test_an_id_that_is_not_there(root, lists, name):
    where = add(lists, "test", name, 0, "1,2,3,4")
    splits, found = listed(root, lists)
    line = len((lists / "test/class_labels.txt").read_text().splitlines())
    assert found == [
        ("missing_frame", name, f"{lists / 'test/class_labels.txt'} line {line} names it"),
        ("box_without_frame", where, name),
    ]
    assert len(names(splits, "test")) == 12


def test_a_box_of_a_whole_shot_is_noted(root, lists):
    name = "cow/data/0001/shots/002"
    (lists / "train/image_ids.txt").write_text("")
    (lists / "train/class_labels.txt").write_text("")
    where = add(lists, "train", name, 1, "1,2,3,4")
    splits, found = listed(root, lists)
    assert ("box_without_frame", where, name) in found
    assert len(names(splits, "train")) == 4


def test_lists_of_another_tree(root, lists, tmp_path):
    other = raw_layouts.v2_lists(tmp_path / "other", CONTENT)
    with pytest.raises(ValueError, match="nothing in the list of train is there: it has '.*video"):
        listed(root, other)


def test_labels_that_are_not_the_numbers_of_the_sorted_classes(root, lists):
    name = "cow/data/0001/shots/001/frame0019.jpg"
    add(lists, "test", name, 0)
    with pytest.raises(ValueError, match="class_labels.txt line 13: 'cow' has the label 0, but he"):
        listed(root, lists)


def test_lists_of_classes_that_are_not_there(root, tmp_path):
    lists = raw_layouts.v1_lists(
        tmp_path / "more", raw_layouts.make_content(["bird", "cow", "dog"])
    )
    with pytest.raises(
        ValueError, match="'dog' has the label 2, but here are the classes 0 bird, 1"
    ):
        listed(root, lists)
