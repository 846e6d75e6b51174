"""The measuring script at its smallest: the ratios are those of its own figures."""

import pytest

from tcam_jax.benchmark import cam_speed


@pytest.mark.slow
def test_every_method_is_measured_beside_torchcam():
    row = cam_speed.measure("resnet10", 32, batch=2, rounds=1)
    assert set(row["ours"]) == {"forward", *cam_speed.METHODS}
    ways = ("readme", "frozen", "batch")
    theirs = {f"{name}: {way}" for name in cam_speed.METHODS for way in ways}
    assert set(row["torchcam"]) == {"forward", "forward channels_last", *theirs}
    # With one round, a ratio of times is the inverse ratio of the speeds.
    for way, speed in row["torchcam"].items():
        ours = row["ours"]["forward" if "forward" in way else way.rsplit(": ", 1)[0]]
        assert row["ratios"][f"torchcam {way} / ours"] == pytest.approx(ours / speed)
    expected = row["ours"]["forward"] / row["ours"]["layercam"]
    assert row["ratios"]["layercam / forward"] == pytest.approx(expected)
