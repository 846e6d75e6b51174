"""The measuring scripts at their smallest: what they count is right; how fast is not tested."""

import pytest

from tcam_jax.benchmark import data_pipeline, index_scale


@pytest.mark.slow
def test_all_ways_read_the_same_windows(tmp_path):
    row = data_pipeline.measure(tmp_path, 64, 48, num_shots=4, steps=2, rounds=1)
    assert row["size"] == "64x48"
    assert row["windows"] == 2 * data_pipeline.BATCH_SIZE
    # n = 1: one frame a window, or two, but never more.
    assert row["windows"] < row["frames"] <= 2 * row["windows"]
    assert row["pipeline"]["pipeline_over"] == 1
    for name in ("decode", "decode_resize", "dataloader"):
        assert row[name]["frames_per_s_per_core"] > 0 and row[name]["pipeline_over"] > 0


@pytest.mark.slow
def test_the_large_index_has_the_frames_it_is_said_to_have(tmp_path):
    index_scale.write_dataset(tmp_path, 3 * index_scale.FRAMES_PER_SHOT + 7)
    figures = index_scale.measure(tmp_path)
    assert figures["records"] == 607
    assert figures["after_200_batches_mb"] >= figures["imported_mb"] > 0
    assert figures["resume_far_s"] > 0
