"""The measuring scripts at their smallest: what they count is right; how fast is not tested."""

import pytest

from tcam_jax.benchmark import beside_step, data_pipeline, index_scale


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Four shots of ten frames, stored as squares of 32 pixels."""
    folder = tmp_path_factory.mktemp("stored")
    data_pipeline.write_frames(folder / "source", 64, 48, num_shots=4)
    return data_pipeline.prepare_frames(folder / "source", folder / "data", "speed_train32")


@pytest.mark.slow
def test_all_ways_read_the_same_windows(stored, tmp_path):
    row = data_pipeline.measure(stored, tmp_path, steps=2, rounds=1)
    assert row["size"] == "32x32"
    assert row["windows"] == 2 * data_pipeline.BATCH_SIZE
    # n = 1: one frame a window, or two, but never more.
    assert row["windows"] < row["frames"] <= 2 * row["windows"]
    assert row["pipeline"]["pipeline_over"] == 1
    for name in ("decode", "decode_resize", "dataloader"):
        assert row[name]["frames_per_s_per_core"] > 0 and row[name]["pipeline_over"] > 0


class Clock:
    """In the place of the module `time`: hours pass at once."""

    def __init__(self):
        self.now = 5.0

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float):
        assert seconds >= 0
        self.now += seconds


@pytest.mark.parametrize(
    ("making", "seconds", "idle", "taking"),
    # Ten batches after the first. Faster than the step; as fast; three times as slow.
    [(0.25, 11.0, 0.0, 2.5), (1.0, 11.0, 0.0, 10.0), (3.0, 31.0, 20.0, 30.0)],
)
def test_a_device_waits_for_batches_that_take_longer_than_its_step(
    monkeypatch, making, seconds, idle, taking
):
    clock = Clock()
    monkeypatch.setattr(beside_step, "time", clock)

    def batches():
        for number in range(11):
            clock.sleep(making)
            yield number

    found = beside_step.run_beside(batches(), step_s=1.0)
    assert found == pytest.approx((10, seconds, idle, taking))


def test_the_parts_of_reading(stored):
    found = beside_step.measure(stored, 32, step_s=0.02, steps=4, rounds=1)
    parts = found["processor_ms"]
    assert list(parts) == ["whole", "draw", "read", "decode", "gather", "put", "rest"]
    assert min(parts[name] for name in parts if name != "rest") > 0
    assert found["windows_per_s"] == 1600 and 0 <= found["waits_percent"] <= 100
    assert found["cores"]["16"]["share"] < found["cores"]["2"]["share"]


@pytest.mark.slow
def test_the_large_index_has_the_frames_it_is_said_to_have(tmp_path):
    index_scale.write_dataset(tmp_path, 3 * index_scale.FRAMES_PER_SHOT + 7)
    figures = index_scale.measure(tmp_path)
    assert figures["records"] == 607
    assert figures["after_200_batches_mb"] >= figures["imported_mb"] > 0
    assert figures["resume_far_s"] > 0
