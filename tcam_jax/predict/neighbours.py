"""What comes with its neighbours in time, as it comes."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import TypeVar

T = TypeVar("T")


def with_neighbours(items: Iterable[T], reach: int) -> Iterator[list[T | None]]:
    """Yield for each item `[2 * reach + 1]`: itself in the middle, what is before and after it.

    None stands where there is no neighbour. An error of `items` is raised after all items before
    it.
    """
    near: deque[T | None] = deque([None] * reach, maxlen=2 * reach + 1)
    for one in _and_nothing(items, reach):
        near.append(one)
        if len(near) == near.maxlen and near[reach] is not None:
            yield list(near)


def _and_nothing(items: Iterable[T], times: int) -> Iterator[T | None]:
    """Yield all, then None so many times, and only then raise what went wrong."""
    fault = None
    try:
        yield from items
    except Exception as error:
        fault = error
    yield from repeat(None, times)
    if fault is not None:
        raise fault
