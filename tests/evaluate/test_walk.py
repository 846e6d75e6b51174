"""A walk over batches: several under way at once, in order, and it stops where it is told to."""

import threading

import numpy as np
import pytest

from tcam_jax.data.truth import Truth
from tcam_jax.evaluate import walk as module
from tcam_jax.evaluate.maps import FrameOutputs
from tcam_jax.evaluate.walk import AHEAD, walk
from tcam_jax.runtime.interruption import Interrupted

COUNT = 8


@pytest.fixture
def truth() -> Truth:
    sizes = np.full((COUNT, 2), 2, np.int32)
    boxes = [np.zeros((0, 4), np.float32)] * COUNT
    labels = np.arange(COUNT, dtype=np.int32)
    return Truth(np.arange(COUNT), [f"a/v/s/{i}.jpg" for i in range(COUNT)], labels, sizes, boxes)


def _batches(events):
    for number in range(COUNT):
        events.append(("read", number))
        yield {"frames": np.full((1, 2, 2, 3), number, np.uint8), "record": np.array([number])}


def _walk(truth, events, jobs, batches=None):
    def forward(variables, frames, classes):
        events.append(("passed", int(classes[0])))
        return FrameOutputs(np.zeros((1, COUNT)), frames[None, ..., 0])

    batches = _batches(events) if batches is None else batches
    return walk(forward, {}, batches, truth, lambda batch: batch, jobs)


def test_batches_come_in_order_while_later_ones_are_under_way(truth):
    events: list[tuple[str, int]] = []

    def jobs(seen):
        (index,) = seen.indices
        events.append(("seen", index))
        assert seen.maps[0, 0, 0, 0] == index
        return []

    timing = _walk(truth, events, jobs)
    assert [number for name, number in events if name == "seen"] == list(range(COUNT))
    assert events.index(("seen", 0)) == events.index(("passed", AHEAD)) + 1
    assert timing.frames == COUNT - 1 and timing.seconds >= 0


def test_jobs_are_done_when_it_returns_and_few_wait(truth, monkeypatch):
    monkeypatch.setattr(module, "usable_cores", lambda: 3)
    events: list[tuple[str, int]] = []
    lock, waiting, most = threading.Lock(), set(), []

    def jobs(seen):
        (index,) = seen.indices
        with lock:
            waiting.add(index)
            most.append(len(waiting))

        def job():
            with lock:
                waiting.discard(index)

        return [job]

    _walk(truth, events, jobs)
    assert not waiting and len(most) == COUNT and max(most) <= AHEAD + 1


def test_an_error_of_a_job_is_raised_before_the_walk_ends(truth):
    events: list[tuple[str, int]] = []

    def jobs(seen):
        return [lambda: 1 // (seen.indices[0] - 1)]

    with pytest.raises(ZeroDivisionError):
        _walk(truth, events, jobs)
    assert ("passed", COUNT - 1) not in events  # no use to go on


def test_it_stops_between_batches_and_what_has_not_begun_is_dropped(truth, monkeypatch):
    monkeypatch.setattr(module, "usable_cores", lambda: 1)
    events: list[tuple[str, int]] = []
    begun, stopped = threading.Event(), threading.Event()

    def interrupted():
        for batch in _batches(events):
            if batch["record"][0] == AHEAD + 1:
                assert begun.wait(20)
                threading.Timer(0.05, stopped.set).start()
                raise Interrupted
            yield batch

    def first():
        begun.set()
        assert stopped.wait(20)
        events.append(("judged", 0))

    with pytest.raises(Interrupted):
        _walk(
            truth, events, lambda seen: [first, lambda: events.append(("judged", 1))], interrupted()
        )
    assert [number for name, number in events if name == "judged"] == [0]


def test_no_batch_is_an_error(truth):
    with pytest.raises(ValueError, match="at least one batch"):
        _walk(truth, [], lambda seen: [], batches=[])
