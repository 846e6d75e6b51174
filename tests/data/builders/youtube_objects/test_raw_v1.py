"""What may be wrong with v1.0 as published or as downloaded; each has its rule."""

import os
import shutil
from pathlib import Path

import pytest
import scipy.io

from tcam_jax.data.builders.registry import prepare
from tests.data.builders.hand_made import jpeg
from tests.data.builders.youtube_objects.listing import boxes, list_splits, names
from tests.data.builders.youtube_objects.raw_layouts import (
    make_content,
    pack,
    save_boxes,
    v1_frame,
    write_v1,
)
from tests.runtime.test_plain_files import pipe, sparse

TEST_SHOT = "bird/data/0002/shots/001"
TEST_FRAME = f"{TEST_SHOT}/{v1_frame(1)}"
TEST_MAT = f"{TEST_FRAME}_sticks.mat"


@pytest.fixture
def root(tmp_path) -> Path:
    return write_v1(tmp_path / "raw", make_content())


def test_a_clean_tree_has_no_fault(root):
    listed, found = list_splits("v1.0", root)
    assert found == []
    assert {split: len(names(listed, split)) for split in listed} == {
        "train": 14,
        "validation": 18,
        "test": 12,
    }


@pytest.mark.parametrize(
    ("make", "kind", "detail"),
    [
        (lambda mat: mat.touch(), "bad_annotation", "cannot be read as a MATLAB file"),
        (lambda mat: mat.write_bytes(b"x"), "bad_annotation", "cannot be read as a MATLAB file"),
        (sparse, "bad_annotation", "cannot be read as a MATLAB file: it has 1.0 TB"),
        (Path.mkdir, "bad_annotation", "cannot be read as a MATLAB file: it is a folder"),
        (pipe, "special", "a named pipe"),
        (lambda mat: mat.symlink_to("/dev/zero"), "special", "a device"),
        (lambda mat: mat.symlink_to(mat.name), "dead_link", ""),
    ],
)
def test_a_damaged_annotation_costs_its_frame_alone(root, make, kind, detail):
    before, _ = list_splits("v1.0", root)
    (root / TEST_MAT).unlink()
    make(root / TEST_MAT)
    listed, ((found, where, text),) = list_splits("v1.0", root)
    assert (found, where) == (kind, TEST_MAT) and detail in text
    assert names(listed, "test") == [n for n in names(before, "test") if n != TEST_FRAME]


def test_a_foreign_annotation(root):
    scipy.io.savemat(root / TEST_MAT, {"points": [1, 2]})
    _, found = list_splits("v1.0", root)
    detail = "it has no variable 'coor', but points"
    assert found == [("bad_annotation", TEST_MAT, detail)]


def test_an_annotation_without_boxes(root):
    save_boxes(root / TEST_MAT, [])
    listed, found = list_splits("v1.0", root)
    assert found == [("bad_annotation", TEST_MAT, "it holds no box")]
    assert TEST_FRAME not in names(listed, "test")


def test_a_bad_entry_costs_itself_alone(root):
    save_boxes(root / TEST_MAT, [(1, 2, 3, 4), (1, 2, 3), (5, 6, 7, 8)])
    listed, found = list_splits("v1.0", root)
    assert found == [("box_malformed", f"{TEST_MAT} box 2", "it has 3 values, not 4")]
    assert boxes(listed, "test")[TEST_FRAME] == [(1, 2, 3, 4), (5, 6, 7, 8)]


def test_a_video_counts_as_annotated_whatever_its_boxes_are(root):
    before, _ = list_splits("v1.0", root)
    # The rule shuffles the annotated videos: one less would change the choice.
    for mat in (root / "bird/data").glob("*/shots/001/*.mat"):
        if mat.parts[-4] not in ("0002", "0005"):
            mat.write_bytes(b"damaged")
    listed, _ = list_splits("v1.0", root)
    assert list(listed["train"]) == list(before["train"])


def test_boxes_of_training_frames_are_not_used(root):
    listed, _ = list_splits("v1.0", root)
    assert set(map(tuple, boxes(listed, "train").values())) == {()}


def test_an_annotation_whose_frame_is_not_there(root):
    (root / TEST_FRAME).unlink()
    listed, found = list_splits("v1.0", root)
    assert found == [("box_without_frame", TEST_MAT, "")]
    assert TEST_SHOT.replace("data/", "").replace("shots/", "") not in listed["test"]


def test_an_empty_shot_and_a_video_without_any(root):
    (root / "cow/data/0001/shots/007").mkdir()
    (root / "cow/data/0001/shots/008").mkdir()
    save_boxes(root / "cow/data/0001/shots/008/frame0001.jpg_sticks.mat", [(1, 2, 3, 4)])
    (root / "cow/data/0099").mkdir()
    with (root / "cow/sets/train.txt").open("a") as file:
        file.write("0099\n")
    _, found = list_splits("v1.0", root)
    assert found == [
        ("empty_shot", "cow/data/0001/shots/007", ""),
        ("box_without_frame", "cow/data/0001/shots/008/frame0001.jpg_sticks.mat", ""),
        ("empty_shot", "cow/data/0001/shots/008", ""),
        ("empty_video", "cow/data/0099", ""),
    ]


def test_files_that_are_no_frames_and_links(root):
    shot = root / TEST_SHOT
    (shot / "notes.txt").write_text("x")
    (shot / ".hidden").write_text("x")
    (root.parent / "elsewhere.jpg").write_bytes(jpeg(1))
    (shot / "frame9000.jpg").symlink_to(root.parent / "elsewhere.jpg")
    (shot / "frame9001.jpg").symlink_to(root / TEST_FRAME)
    (shot / "frame9002.jpg").symlink_to(root / "nowhere.jpg")
    listed, found = list_splits("v1.0", root)
    assert {(kind, where) for kind, where, _ in found} == {
        ("hidden", f"{TEST_SHOT}/.hidden"),
        ("dead_link", f"{TEST_SHOT}/frame9002.jpg"),
        ("not_a_frame", f"{TEST_SHOT}/notes.txt"),
    }
    assert "frame9002" not in str(listed)


def test_a_class_folder_may_be_a_link_to_another_disk(root):
    before = list_splits("v1.0", root)
    moved = shutil.move(root / "cow", root.parent / "another disk")
    (root / "cow").symlink_to(moved)
    after = list_splits("v1.0", root)
    assert str(after) == str(before)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_cannot_be_read(root):
    (root / TEST_SHOT).chmod(0)
    _, found = list_splits("v1.0", root)
    (root / TEST_SHOT).chmod(0o755)
    assert ("unreadable", TEST_SHOT, "Permission denied") in found


def test_shots_and_frames_come_in_natural_order(root):
    listed, _ = list_splits("v1.0", root)
    video = root / names(listed, "train")[0].split("/shots/")[0]
    for shot in ("10", "9"):
        (video / "shots" / shot).mkdir()
        for name in ("frame10.jpg", "frame9.jpg", "frame100.jpg"):
            (video / "shots" / shot / name).write_bytes(jpeg(1))
    listed, found = list_splits("v1.0", root)
    shots = [shot for shot in listed["train"] if shot.startswith("bird/")]
    assert found == [] and [shot.split("/")[2] for shot in shots] == ["001", "002", "9", "10"]
    files = [Path(frame.frame_id).name for frame in listed["train"][shots[-1]]]
    assert files == ["frame9.jpg", "frame10.jpg", "frame100.jpg"]


def test_a_video_that_is_listed_and_not_there(root):
    shutil.rmtree(root / "bird/data/0005")
    listed, found = list_splits("v1.0", root)
    assert found == [("missing_video", "bird/data/0005", "sets/test.txt names it")]
    assert not any("/0005/" in name for name in names(listed, "test") if name.startswith("bird"))


def test_a_video_in_neither_list(root):
    shutil.copytree(root / "bird/data/0001", root / "bird/data/0009")
    listed, found = list_splits("v1.0", root)
    assert found == [("unlabelled_video", "bird/data/0009", "no file in sets names it")]
    assert "/0009/" not in str(listed)


def test_a_video_in_both_lists_is_for_test_alone(root):
    with (root / "bird/sets/train.txt").open("a") as file:
        file.write("\n  0002  \n0002\n")
    listed, found = list_splits("v1.0", root)
    assert found == [("video_in_two_splits", "bird/data/0002", "it is taken for test")]
    assert "bird/0002/001" in listed["test"] and "bird/0002/001" not in listed["train"]


def test_a_training_video_without_annotation_trains(root):
    for mat in (root / "bird/data").glob("000[1346]/shots/*/*.mat"):
        mat.unlink()
    listed, _ = list_splits("v1.0", root)
    assert sum(shot.startswith("bird/") for shot in listed["train"]) == 8
    assert not any(shot.startswith("bird/") for shot in listed["validation"])


@pytest.mark.parametrize("make", [None, pipe, sparse])
@pytest.mark.parametrize("name", ["train", "test"])
def test_without_sets(root, name, make):
    (root / f"cow/sets/{name}.txt").unlink()
    if make:
        make(root / f"cow/sets/{name}.txt")
    with pytest.raises(ValueError, match=f"cow/sets/{name}.txt.*download CLASS.tar.gz"):
        list_splits("v1.0", root)


def test_a_class_of_another_layout(root):
    shutil.rmtree(root / "cow/data")
    with pytest.raises(ValueError, match="cow has no folder 'data'.*download CLASS.tar.gz"):
        list_splits("v1.0", root)


def test_a_folder_that_is_no_class_is_ignored(root):
    (root / "my notes/data").mkdir(parents=True)
    assert list_splits("v1.0", root)[1] == []


def test_a_damaged_archive_is_named(root):
    packed = pack(root / "cow", root / "cow.tar.gz", "w:gz", top=True)
    shutil.rmtree(root / "cow")
    packed.write_bytes(packed.read_bytes()[:-100])
    with pytest.raises(ValueError, match="cow.tar.gz cannot be unpacked"):
        list_splits("v1.0", root)


def test_a_folder_goes_before_its_archive_and_two_archives_are_too_many(root):
    (root / "cow.tar.gz").write_bytes(b"never opened")
    list_splits("v1.0", root)
    (root / "cow.tgz").write_bytes(b"never opened")
    with pytest.raises(ValueError, match=r"cow.tar.gz and .*cow.tgz are two archives of one name"):
        list_splits("v1.0", root)


def rename(root: Path, old: str, new: str, frame: str) -> Path:
    """Gives a class's shot the name of one of the two published faults; its annotated frame."""
    target = root / new
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(root / old, target)
    place = target / frame
    shutil.move(target / v1_frame(1), place)
    (target / f"{v1_frame(1)}_sticks.mat").unlink()
    return place


@pytest.mark.parametrize(
    ("published", "mended", "is_fault"),
    [
        ([(30, 2, 10, 9), (1, 2, 3, 4)], [(10, 2, 30, 9), (1, 2, 3, 4)], True),
        ([(10, 2, 30, 9)], [(10, 2, 30, 9)], False),
    ],
)
def test_the_swapped_box_of_a_horse(tmp_path, published, mended, is_fault):
    root = write_v1(tmp_path / "raw", make_content(["horse"]))
    shutil.move(root / "horse/data/0002", root / "horse/data/0022")  # test; 0004 takes its place
    shutil.rmtree(root / "horse/data/0004")
    (root / "horse/sets/test.txt").write_text("0022\n0004\n0005\n")
    (root / "horse/sets/train.txt").write_text("0001\n0003\n0006\n")
    old, new = "horse/data/0022/shots/001", "horse/data/0004/shots/055"
    frame = rename(root, old, new, "frame0020.jpg")
    save_boxes(Path(f"{frame}_sticks.mat"), published)
    listed, found = list_splits("v1.0", root)
    assert boxes(listed, "test")["horse/data/0004/shots/055/frame0020.jpg"] == mended
    assert [kind for kind, _, _ in found] == ["box_known"] * is_fault


@pytest.mark.parametrize(
    ("published", "mended", "is_fault"),
    [([(3, 2, 35, 9)], [(3, 2, 31, 9)], True), ([(3, 2, 32, 9)], [(3, 2, 32, 9)], False)],
)
def test_the_box_of_a_boat_that_is_too_wide(tmp_path, published, mended, is_fault):
    root = write_v1(tmp_path / "raw", make_content(["boat"]))
    (root / "boat/sets/test.txt").write_text("0002\n0005\n0006\n")
    (root / "boat/sets/train.txt").write_text("0001\n0003\n0004\n")
    old, new = "boat/data/0006/shots/001", "boat/data/0006/shots/026"
    frame = rename(root, old, new, "frame0002.jpg")
    first = frame.with_name("frame0001.jpg")  # it is there already: make it the annotated one
    save_boxes(Path(f"{first}_sticks.mat"), published)
    listed, found = list_splits("v1.0", root)
    assert boxes(listed, "test")["boat/data/0006/shots/026/frame0001.jpg"] == mended
    assert [kind for kind, _, _ in found] == ["box_known"] * is_fault


def test_what_the_authors_publish_does_not_stop_a_strict_preparation(root, tmp_path):
    (root / "cow/data/0001/shots/007").mkdir()
    shutil.copytree(root / "bird/data/0001", root / "bird/data/0009")
    for mat in root.glob("*/data/*/shots/*/*.mat"):
        save_boxes(mat, [(-1, 2, 30, 20)])
    prepare("youtube_objects", "v1.0", tmp_path / "data", root, strict=True)
    (root / TEST_MAT).write_bytes(b"")
    with pytest.raises(ValueError, match=f"{TEST_MAT}: an annotation file .*strict"):
        prepare("youtube_objects", "v1.0", tmp_path / "other", root, strict=True)
