"""Turns are fair and figures belong to their names; how long anything takes is not tested."""

import time

import jax
import pytest

from tcam_jax.benchmark.frame_time import PUBLISHED_METHODS, boxes_per_map, time_per_frame
from tcam_jax.benchmark.rounds import ratio, summary, take_turns
from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.tcam import TCAM, init_variables


def test_every_way_has_its_turn_in_every_round_in_changing_order():
    calls = []
    ways = {name: lambda name=name: calls.append(name) for name in "abcd"}
    seconds = take_turns(ways, rounds=5)
    rounds = [calls[i : i + 4] for i in range(0, len(calls), 4)]
    assert len(rounds) == 6 and all(sorted(each) == list("abcd") for each in rounds)
    assert len(set(map(tuple, rounds))) > 1
    assert {name: len(times) for name, times in seconds.items()} == dict.fromkeys("abcd", 5)


def test_seconds_are_those_of_the_way():
    ways = {"slow": lambda: time.sleep(0.05), "quick": lambda: None}
    seconds = take_turns(ways, rounds=3)
    assert min(seconds["slow"]) >= 0.05 and ratio(seconds["slow"], seconds["quick"]) > 1


def test_summary_and_ratio_by_hand():
    assert summary([0.1, 0.3, 0.2], items=2) == {
        "milliseconds": pytest.approx(100),
        "quartiles": [pytest.approx(75), pytest.approx(125)],
    }
    assert ratio([2.0, 9.0, 4.0], [1.0, 3.0, 4.0]) == 2


@pytest.mark.slow
def test_a_row_a_method_and_batch(small_encoder):
    model = TCAM(3, backbone=ENCODERS[small_encoder])
    variables = init_variables(model, jax.random.key(0), 32)
    rows = time_per_frame(model, variables, size=32, batches=(1, 2), rounds=1)
    names = ("classifier", *PUBLISHED_METHODS)
    assert [(row["method"], row["batch"]) for row in rows] == [
        (name, batch) for batch in (1, 2) for name in names
    ]
    for row in rows:
        assert row["milliseconds"] > 0
        assert (row["beyond_forward"] == 0) == (row["method"] == "classifier")
    assert set(boxes_per_map(size=32, count=2)) == {"like CAMs", "smooth", "noise"}
