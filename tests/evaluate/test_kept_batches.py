"""Validation frames are read once, where they fit in memory."""

import itertools

import numpy as np

from tcam_jax.evaluate.kept_batches import KeptBatches

BATCH = {"frames": np.zeros((2, 4, 4, 3), np.uint8), "record": np.zeros(2, np.int64)}
SIZE = 2 * 4 * 4 * 3 + 2 * 8


def _counted(count: int = 3):
    reads: list[int] = []

    def read():
        for number in range(count):
            reads.append(number)
            yield BATCH | {"record": np.full(2, number)}

    return reads, read


def _numbers(batches):
    return [int(batch["record"][0]) for batch in batches]


def test_they_are_read_once():
    reads, read = _counted()
    kept = KeptBatches(read, 3 * SIZE)
    assert _numbers(kept) == _numbers(kept) == _numbers(kept) == reads == [0, 1, 2]


def test_those_that_do_not_fit_are_read_each_time():
    reads, read = _counted()
    kept = KeptBatches(read, 3 * SIZE - 1)
    assert _numbers(kept) == _numbers(kept) == [0, 1, 2]
    assert reads == [0, 1, 2, 0, 1, 2]


def test_a_part_of_them_is_not_taken_for_all():
    reads, read = _counted()
    kept = KeptBatches(read, 3 * SIZE)
    assert _numbers(itertools.islice(kept, 2)) == [0, 1]
    assert _numbers(kept) == [0, 1, 2] and reads == [0, 1, 0, 1, 2]
