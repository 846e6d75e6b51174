"""What may be wrong with v2.2 as published or as downloaded; each has its rule."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from tcam_jax.data.builders.registry import prepare
from tests.data.builders.hand_made import jpeg
from tests.data.builders.youtube_objects.listing import annotated, list_splits, names
from tests.data.builders.youtube_objects.raw_layouts import (
    make_content,
    save_ground_truth,
    write_v2,
)
from tests.runtime.test_plain_files import pipe, sparse

BOX = (1, 2, 30, 20)


@pytest.fixture
def root(tmp_path) -> Path:
    """A class by hand: video 7 trains, 3 and 9 are validation (the first to appear), 1 is test.

    Shots of five frames from 1 on: videos 3, 9, 7, 1, 3; the last one is the second of video 3.
    """
    folder = tmp_path / "raw"
    (folder / "horse").mkdir(parents=True)
    (folder / "Ranges").mkdir()
    (folder / "GroundTruth/horse").mkdir(parents=True)
    for number in range(1, 26):
        (folder / f"horse/{number:08d}.jpg").write_bytes(jpeg(number))
    save_ranges(folder, [(1, 5, 3), (6, 10, 9), (11, 15, 7), (16, 20, 1), (21, 25, 3)])
    annotate(folder, "bb_gtTraining", {2: [BOX], 7: [BOX], 12: [BOX]})
    annotate(folder, "bb_gtTest", {17: [BOX, (5, 6, 7, 8)]})
    return folder


def save_ranges(folder: Path, shots: list[tuple[int, int, int]]) -> None:
    scipy.io.savemat(folder / "Ranges/ranges_horse.mat", {"ranges": np.array(shots).T})


def annotate(folder: Path, variable: str, frames: dict[int | str, list]) -> None:
    entries = [
        (name if isinstance(name, str) else f"horse{name:08d}", found)
        for name, found in frames.items()
    ]
    save_ground_truth(folder / f"GroundTruth/horse/{variable}_horse.mat", variable, entries)


def test_the_clean_class(root):
    listed, found = list_splits("v2.2", root)
    assert found == []
    # Only three videos can train: two for validation leave one.
    assert list(listed["train"]) == ["horse/video-0007/shot-000002"]
    assert names(listed, "train")[0] == "horse/video-0007/shot-000002/00000011.jpg"
    assert annotated(listed, "validation") == {
        "horse/video-0003/shot-000000/00000002.jpg": [BOX],
        "horse/video-0009/shot-000001/00000007.jpg": [BOX],
    }
    assert annotated(listed, "test") == {
        "horse/video-0001/shot-000003/00000017.jpg": [BOX, (5, 6, 7, 8)]
    }
    # Its shot is 16 to 20: four frames on each side are stored too, as far as there are any.
    (frames,) = listed["test"].values()
    assert [frame.frame_id[-6:-4] for frame in frames] == ["16", "17", "18", "19", "20"]
    frame = frames[1]
    assert frame.where == "horse/00000017.jpg" and frame.source == root / "horse/00000017.jpg"


def test_a_clean_tree_of_two_classes_has_no_fault(tmp_path):
    listed, found = list_splits("v2.2", write_v2(tmp_path / "raw", make_content()))
    assert found == []
    assert [len(names(listed, split)) for split in listed] == [14, 18, 12]


def test_a_frame_of_two_shots_is_in_both_and_annotated_in_the_later_one(root):
    save_ranges(root, [(1, 5, 3), (6, 10, 9), (11, 15, 7), (16, 20, 1), (20, 25, 1)])
    annotate(root, "bb_gtTest", {17: [BOX], 20: [BOX]})
    listed, found = list_splits("v2.2", root)
    assert found == []
    assert annotated(listed, "test") == {
        "horse/video-0001/shot-000003/00000017.jpg": [BOX],
        "horse/video-0001/shot-000004/00000020.jpg": [BOX],
    }


def test_in_training_a_frame_of_two_shots_is_in_both(root):
    save_ranges(root, [(1, 5, 3), (6, 10, 9), (11, 15, 7), (15, 15, 7), (16, 20, 1)])
    listed, found = list_splits("v2.2", root)
    assert names(listed, "train")[-2:] == [
        "horse/video-0007/shot-000002/00000015.jpg",
        "horse/video-0007/shot-000003/00000015.jpg",
    ]
    assert [kind for kind, _, _ in found] == ["frame_without_shot"]


def test_frames_that_are_missing_are_told_by_runs(root):
    for number in (11, 13, 14):
        (root / f"horse/{number:08d}.jpg").unlink()
    listed, found = list_splits("v2.2", root)
    shot = "horse/video-0007/shot-000002"
    assert found == [
        ("missing_frame", "horse/00000011.jpg", f"this frame, of {shot}"),
        ("missing_frame", "horse/00000013.jpg", f"2 frames, to 00000014.jpg, of {shot}"),
    ]
    assert names(listed, "train") == [f"{shot}/00000012.jpg", f"{shot}/00000015.jpg"]


def test_an_annotated_frame_that_is_missing(root):
    (root / "horse/00000017.jpg").unlink()
    _, found = list_splits("v2.2", root)
    where = "GroundTruth/horse/bb_gtTest_horse.mat entry 1"
    assert found == [
        ("missing_frame", "horse/00000017.jpg", "this frame, of horse/video-0001/shot-000003"),
        ("box_without_frame", where, "horse/00000017.jpg is not there"),
    ]


def test_a_shot_without_any_frame(root):
    for number in range(21, 26):
        (root / f"horse/{number:08d}.jpg").unlink()
    save_ranges(root, [(1, 5, 3), (6, 10, 9), (11, 15, 7), (16, 20, 1), (21, 25, 3), (9, 8, 3)])
    _, found = list_splits("v2.2", root)
    assert [(kind, where) for kind, where, _ in found] == [
        ("missing_frame", "horse/00000021.jpg"),
        ("empty_shot", "horse/video-0003/shot-000004"),
        ("empty_shot", "horse/video-0003/shot-000005"),
    ]


def test_frames_of_no_shot_and_other_files(root):
    for number in (26, 27, 40):
        (root / f"horse/{number:08d}.jpg").write_bytes(jpeg(number))
    (root / "horse/26.jpg").write_bytes(jpeg(26))
    _, found = list_splits("v2.2", root)
    assert found == [
        ("not_a_frame", "horse/26.jpg", ""),
        ("frame_without_shot", "horse/00000026.jpg", "2 frames, to 00000027.jpg"),
        ("frame_without_shot", "horse/00000040.jpg", "this frame"),
    ]


def test_an_annotated_frame_outside_of_every_shot(root):
    annotate(root, "bb_gtTest", {17: [BOX], 4000: [BOX]})
    listed, found = list_splits("v2.2", root)
    where = "GroundTruth/horse/bb_gtTest_horse.mat entry 2"
    assert found == [("box_without_frame", where, "no shot has frame 4000")]
    assert len(names(listed, "test")) == 1


def test_a_video_that_nobody_annotated_is_left_out(root):
    annotate(root, "bb_gtTraining", {2: [BOX], 12: [BOX]})
    listed, found = list_splits("v2.2", root)
    assert found == [("unlabelled_video", "horse/video-0009", "it has no ground truth")]
    assert "video-0009" not in str(listed)


def test_a_video_annotated_for_both_is_for_test_alone(root):
    annotate(root, "bb_gtTraining", {2: [BOX], 7: [BOX], 12: [BOX], 18: [BOX]})
    listed, found = list_splits("v2.2", root)
    assert found == [("video_in_two_splits", "horse/video-0001", "it is taken for test")]
    assert names(listed, "test") == ["horse/video-0001/shot-000003/00000017.jpg"]
    assert "video-0001" not in str(listed["train"])


def test_entries_that_are_no_boxes(root):
    frames = {
        17: [(1, 2, 3, 4)],
        "cow00000018": [BOX],
        "horse18": [BOX],
        18: [(1, 2, 3)],
        19: [],
        20: [BOX],
    }
    annotate(root, "bb_gtTest", frames)
    listed, found = list_splits("v2.2", root)
    where = "GroundTruth/horse/bb_gtTest_horse.mat entry"
    assert found == [
        ("box_malformed", f"{where} 2", "expected horseNNNNNNNN, got 'cow00000018'"),
        ("box_malformed", f"{where} 3", "expected horseNNNNNNNN, got 'horse18'"),
        ("box_malformed", f"{where} 4", "it has 3 values, not 4"),
        ("box_malformed", f"{where} 5", "it holds no box"),
    ]
    assert [name[-6:-4] for name in names(listed, "test")] == ["17", "20"]


def remove(name: str) -> Callable[[Path], object]:
    return lambda root: (root / name).unlink()


def damage(name: str) -> Callable[[Path], object]:
    return lambda root: (root / name).write_bytes(b"not a MATLAB file")


def replace(name: str, make: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda root: ((root / name).unlink(), make(root / name))


TEST_FILE = "GroundTruth/horse/bb_gtTest_horse.mat"
WITHOUT = {
    "no ranges": (remove("Ranges/ranges_horse.mat"), "ranges_horse.mat is not there"),
    "no folder of ranges": (
        lambda root: shutil.rmtree(root / "Ranges"),
        "has neither Ranges/ nor Ranges.tar.gz",
    ),
    "no ground truth of the class": (
        lambda root: shutil.rmtree(root / "GroundTruth/horse"),
        "bb_gtTraining_horse.mat is not there",
    ),
    "no ground truth": (
        lambda root: shutil.rmtree(root / "GroundTruth"),
        "has neither GroundTruth/ nor GroundTruth.tar.gz",
    ),
    "no test": (remove(TEST_FILE), "bb_gtTest_horse.mat is not there"),
    "damaged ranges": (damage("Ranges/ranges_horse.mat"), "ranges_horse.mat: it cannot be read"),
    "damaged test": (damage(TEST_FILE), "bb_gtTest_horse.mat: it cannot be read"),
    "a pipe of ranges": (replace("Ranges/ranges_horse.mat", pipe), "horse.mat: .*a named pipe"),
    "endless test": (replace(TEST_FILE, sparse), r"bb_gtTest_horse.mat: .*it has 1\.0 TB"),
    "foreign test": (
        lambda root: scipy.io.savemat(root / TEST_FILE, {"x": 1}),
        "bb_gtTest_horse.mat: it has no variable 'bb_gtTest', but x",
    ),
}


@pytest.mark.parametrize("name", WITHOUT)
def test_what_the_whole_class_needs(root, name):
    make, message = WITHOUT[name]
    make(root)
    with pytest.raises(ValueError, match=f"{message}.*; download CLASS.tar.gz of every class"):
        list_splits("v2.2", root)


def test_a_folder_that_is_none_of_the_published_ones_needs_ranges_too(root):
    (root / "zebra").mkdir()
    with pytest.raises(ValueError, match="ranges_zebra.mat is not there"):
        list_splits("v2.2", root)


def test_what_the_authors_publish_does_not_stop_a_strict_preparation(root, tmp_path):
    save_ranges(root, [(1, 5, 3), (6, 10, 9), (11, 15, 7), (15, 20, 1), (22, 22, 4)])
    prepare("youtube_objects", "v2.2", tmp_path / "data", root, strict=True)
    (root / "horse/00000022.jpg").unlink()
    with pytest.raises(ValueError, match="horse/00000022.jpg: a frame that a list .*strict"):
        prepare("youtube_objects", "v2.2", tmp_path / "other", root, strict=True)
