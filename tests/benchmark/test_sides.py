"""Each side in its own process, one at a time; how long anything takes is not tested."""

import os
import time
from functools import partial

import pytest

from tcam_jax.benchmark.sides import Prepared, measure


def _side(seconds: float) -> Prepared:
    ways = {"sleep": partial(time.sleep, seconds), "nothing": lambda: None}
    return Prepared(ways, {"process": os.getpid()})


def _broken() -> Prepared:
    raise ValueError("cannot be prepared")


def test_figures_and_times_belong_to_their_side():
    measured = measure({"slow": partial(_side, 0.05), "quick": partial(_side, 0)}, rounds=3)
    assert list(measured) == ["slow", "quick"]
    for side in measured.values():
        assert {name: len(times) for name, times in side.seconds.items()} == {
            "sleep": 3,
            "nothing": 3,
        }
    assert min(measured["slow"].seconds["sleep"]) >= 0.05
    assert min(measured["quick"].seconds["sleep"]) < 0.05
    processes = {side.figures["process"] for side in measured.values()}
    assert len(processes) == 2 and os.getpid() not in processes


def test_a_side_that_fails_is_told():
    with pytest.raises(RuntimeError, match="a measuring process ended"):
        measure({"broken": _broken}, rounds=1)
