"""Order, errors, how far ahead, and the thread's end."""

import sys
import threading
import time

import pytest

from tcam_jax.runtime.read_ahead import read_ahead


def test_items_come_in_order_from_another_thread():
    threads = set()

    def items():
        for i in range(100):
            threads.add(threading.current_thread())
            yield i

    assert list(read_ahead(items(), 3)) == list(range(100))
    assert len(threads) == 1 and threading.current_thread() not in threads
    assert list(read_ahead([], 3)) == []


def test_an_error_comes_after_what_was_before_it():
    def items():
        yield from range(5)
        raise KeyError("broken")

    found = []
    with pytest.raises(KeyError, match="broken"):
        for item in read_ahead(items(), 3):
            found.append(item)
    assert found == [0, 1, 2, 3, 4]


def test_it_works_while_the_caller_does_but_no_further_ahead_than_told():
    made, enough = [], threading.Event()

    def items():
        for i in range(50):
            made.append(i)
            if len(made) == 4:
                enough.set()
            yield i

    ahead = read_ahead(items(), 4)
    next(ahead)
    assert enough.wait(10)
    time.sleep(0.05)
    assert len(made) <= 5
    ahead.close()
    time.sleep(0.05)
    assert len(made) <= 6


def test_who_stops_early_leaves_no_thread():
    before = threading.active_count()
    closed = []

    def items():
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    ahead = read_ahead(items(), 2)
    next(ahead)
    ahead.close()
    del ahead
    for _ in range(100):
        if threading.active_count() == before and closed:
            break
        time.sleep(0.02)
    assert threading.active_count() == before and closed


def test_its_own_thread_may_be_the_one_that_forgets_it():
    asked_again, ended = threading.Event(), []

    def items():
        yield 0
        asked_again.wait(10)
        try:
            ahead.close()  # as Python's collection of garbage does, in any thread
        finally:
            ended.append(sys.exc_info()[1])
        yield 1

    ahead = read_ahead(items(), 2)
    assert next(ahead) == 0
    asked_again.set()
    for _ in range(100):
        if ended:
            break
        time.sleep(0.02)
    assert ended == [None]
