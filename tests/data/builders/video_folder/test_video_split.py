from pathlib import Path

import pytest

from tcam_jax.data.builders.video_folder.video_split import ShotFiles, allot, split_classes

FRACTIONS = (0.7, 0.15, 0.15)


def shots_of(videos: int, shots: int = 1, frames: int = 4) -> list[ShotFiles]:
    return [
        ShotFiles(
            f"v{v:02d}", f"s{s}", f"{v}/{s}", [Path(f"{v}/{s}/{f}.jpg") for f in range(frames)]
        )
        for v in range(videos)
        for s in range(shots)
    ]


@pytest.mark.parametrize("total", range(3, 60))
def test_allot_is_within_one_of_the_exact_share(total):
    counts = allot(total, FRACTIONS)
    assert sum(counts) == total and min(counts) >= 1
    if total >= 7:  # from there on no share is below 1
        assert all(abs(c - total * s) < 1 for c, s in zip(counts, FRACTIONS, strict=True))


def test_a_class_keeps_its_split_when_another_class_joins():
    alone = split_classes({"a": shots_of(10)}, "video", FRACTIONS)
    joined = split_classes({"a": shots_of(10), "b": shots_of(10)}, "video", FRACTIONS)
    chosen = {}
    for split in alone:
        assert alone[split]["a"] == joined[split]["a"]
        chosen[split] = [[shot.video for shot in joined[split][name]] for name in "ab"]
    # Shuffled, and each class in its own way.
    assert chosen["train"][0] != [f"v{v:02d}" for v in range(7)]
    assert chosen["train"][0] != chosen["train"][1]


def test_shots_stay_with_their_video_and_keep_their_order():
    parts = split_classes({"a": shots_of(5, shots=3)}, "video", FRACTIONS)
    seen = [shot for part in parts.values() for shot in part["a"]]
    assert sorted(seen) == shots_of(5, shots=3)
    for part in parts.values():
        assert part["a"] == sorted(part["a"])


def test_classes_with_enough_videos_are_not_cut_when_another_is():
    parts = split_classes({"a": shots_of(3), "b": shots_of(2)}, "video", FRACTIONS)
    for part in parts.values():
        assert [len(shot.files) for shot in part["a"]] == [4]
        assert {shot.video for shot in part["b"]} == {"v00", "v01"}
    of_b = sorted(file for part in parts.values() for shot in part["b"] for file in shot.files)
    assert of_b == sorted(file for shot in shots_of(2) for file in shot.files)


def test_a_class_whose_frames_do_not_reach_all_splits():
    short = shots_of(1, shots=5, frames=2)
    with pytest.raises(ValueError, match="class 'a', 'c' has no frame for split 'validation'"):
        split_classes({"a": short, "b": shots_of(1), "c": short}, "time", FRACTIONS)
