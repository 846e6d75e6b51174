"""Adds up where time goes, by activity."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class Stopwatch:
    """Seconds by activity: `seconds["decode"]`."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def of(self, activity: str) -> Iterator[None]:
        """Count the time inside as `activity`."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.seconds[activity] += time.monotonic() - start

    def waiting_for(self, items: Iterable[T], activity: str) -> Iterator[T]:
        """Yield `items`, counting the time they take to come as `activity`."""
        iterator = iter(items)
        while True:
            with self.of(activity):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item
