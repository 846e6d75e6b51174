import logging

import pytest

from tcam_jax.data.builders.sources import SourceBox
from tcam_jax.data.builders.youtube_objects.raw_shots import (
    Annotations,
    RawShot,
    evaluated_shots,
)
from tcam_jax.data.builders.youtube_objects.reference_splits import (
    reference_splits,
    validation_videos,
)

VIDEOS = [f"{number:04d}" for number in range(1, 12)]


def test_the_seeded_choice_of_the_first_class():
    # The published validation videos of aeroplane, v1.0, of its 11 annotated training videos.
    labelled = [*VIDEOS[:8], "0011", "0012", "0013"]
    assert validation_videos("v1.0", labelled, 0) == ["0004", "0001", "0011", "0008", "0005"]


def test_v2_takes_the_first_three_as_they_come():
    assert validation_videos("v2.2", ["c", "a", "d", "b"], 5) == ["c", "a", "d"]


def test_an_incomplete_class_gives_fewer_of_the_same_choice():
    whole = validation_videos("v1.0", VIDEOS, 3)
    assert validation_videos("v1.0", VIDEOS, 3, most=2) == whole[:2]
    assert validation_videos("v1.0", VIDEOS[:2], 3) in (VIDEOS[:2], VIDEOS[1::-1])
    assert validation_videos("v2.2", VIDEOS, 3, most=0) == []


@pytest.mark.parametrize(
    ("annotated", "also", "stored"),
    [
        ("", "", []),
        ("", "bcf", ["bc", "f"]),
        ("h", "", ["defghijkl"]),
        ("a", "", ["abcde"]),
        ("r", "", ["nopqr"]),
        ("e", "s", ["abcdefghi"]),
        ("dm", "", ["abcdefghijklmnopq"]),
        ("ar", "", ["abcde", "nopqr"]),
        ("ar", "hi", ["abcde", "hi", "nopqr"]),
    ],
)
def test_four_frames_on_each_side_of_an_annotated_one_are_stored(tmp_path, annotated, also, stored):
    """And never are two side by side that have others between them."""
    shot = RawShot("dog", "1", "7", "dog/1/7", tmp_path, "dog", "abcdefghijklmnopqr")
    boxes = {name: (SourceBox("", (1.0, 2.0, 3.0, 4.0)),) for name in annotated}
    pieces = evaluated_shots(shot, boxes, also)
    frames = [list(piece.frames) for piece in pieces]
    assert ["".join(frame.frame_id[-1] for frame in piece) for piece in frames] == stored
    assert [piece.num_frames for piece in pieces] == [len(piece) for piece in frames]
    assert [piece.shot for piece in pieces] == ["7", "7 part 2", "7 part 3"][: len(pieces)]
    assert {frame.frame_id[-1] for piece in frames for frame in piece if frame.boxes} == {
        *annotated
    }


def splits_of(version: str, training: list[str], labelled: list[str], test: list[str], folder):
    """Class "dog": each video has one shot of two frames, the first of which may be annotated."""
    shots = [
        RawShot("dog", video, "1", f"dog/{video}/1", folder, "dog", ["a.jpg", "b.jpg"])
        for video in training + test
    ]
    split_of = dict.fromkeys(training, "train") | dict.fromkeys(test, "test")
    boxes = {
        f"dog/{video}/1": {"a.jpg": (SourceBox(video, (1.0, 2.0, 3.0, 4.0)),)}
        for video in labelled + test
    }
    annotations = Annotations(split_of, frozenset(labelled + test), boxes)
    splits = reference_splits(version, {"dog": shots}, {"dog": annotations})
    return {split: [shot.video for shot in found] for split, found in splits.items()}


@pytest.mark.parametrize(
    ("version", "training", "labelled", "numbers"),
    [
        ("v1.0", 7, 7, (2, 5)),
        ("v1.0", 6, 6, (1, 5)),
        ("v1.0", 5, 5, (1, 4)),
        ("v1.0", 8, 5, (3, 5)),
        ("v1.0", 8, 2, (6, 2)),
        ("v2.2", 4, 4, (1, 3)),
        ("v2.2", 3, 3, (1, 2)),
        ("v2.2", 2, 2, (1, 1)),
    ],
)
def test_one_video_is_always_left_to_train_on(
    tmp_path, caplog, version, training, labelled, numbers
):
    with caplog.at_level(logging.WARNING):
        found = splits_of(version, VIDEOS[:training], VIDEOS[:labelled], ["t"], tmp_path)
    assert (len(found["train"]), len(found["validation"])) == numbers
    assert set(found["validation"]) <= set(VIDEOS[:labelled])
    assert sorted(found["train"] + found["validation"]) == VIDEOS[:training]
    enough = numbers[1] == {"v1.0": 5, "v2.2": 3}[version]
    assert ("for validation" in caplog.text) != enough


def test_one_training_video_leaves_no_validation(tmp_path):
    assert splits_of("v1.0", ["a"], ["a"], ["t"], tmp_path) == {"train": ["a"], "test": ["t"]}


def test_a_class_without_training_videos(tmp_path):
    with pytest.raises(ValueError, match="class 'dog' has no training videos"):
        splits_of("v2.2", [], [], ["t"], tmp_path)
