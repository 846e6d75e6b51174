"""Whether frames to evaluate are of videos that are trained on."""

import pytest

from tcam_jax.data.records import open_split
from tcam_jax.data.truth import read_truth, share_of_trained_videos


def test_videos_that_are_trained_on_too(shapes_data):
    train, test = (
        open_split(shapes_data, "moving_shapes", "default", name) for name in ("train", "test")
    )
    apart = read_truth(test).ids
    others = [row["frame_id"] for row in train.read(range(0, train.table.num_records, 7))]
    assert share_of_trained_videos(apart, train) == 0
    assert share_of_trained_videos(others, train) == 1
    share = len(others) / (len(apart) + len(others))
    assert share_of_trained_videos([*apart, *others], train) == pytest.approx(share)
