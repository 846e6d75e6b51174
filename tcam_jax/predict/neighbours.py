"""What comes with its neighbours in time, as it comes: frames of one reading of one file."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, repeat
from pathlib import Path
from typing import Generic, TypeVar

from tcam_jax.predict.inputs import InputFrame

T = TypeVar("T")


def readings(items: Iterable[T], frame_of: Callable[[T], InputFrame]) -> Iterator[Iterator[T]]:
    """Yield the items of each reading of a file, as `itertools.groupby` does.

    A file that is read again begins anew: its frames' numbers do not go on.
    """
    return (items for _, items in groupby(items, _Reading(frame_of)))


class _Reading(Generic[T]):
    """Numbers the readings of files that items belong to."""

    def __init__(self, frame_of: Callable[[T], InputFrame]):
        self._frame_of = frame_of
        self._last: tuple[Path | None, int] | None = None
        self._number = 0

    def __call__(self, item: T) -> int:
        frame = self._frame_of(item)
        if self._last is not None:
            file, number = self._last
            self._number += frame.file != file or frame.frame <= number
        self._last = frame.file, frame.frame
        return self._number


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
