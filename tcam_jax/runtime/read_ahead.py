"""What comes next is made while the caller is busy with what came before."""

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar, cast

T = TypeVar("T")

_END = object()


def read_ahead(items: Iterable[T], count: int) -> Iterator[T]:
    """Yield `items`; a thread of its own makes up to `count` of them beforehand.

    An error comes after all items before it. When the caller stops early, so does the thread, after
    the item that it is at.
    """
    iterator = iter(items)
    inside: list[int] = []
    thread = ThreadPoolExecutor(1, initializer=lambda: inside.append(threading.get_ident()))
    coming: deque[Future[T | object]] = deque()
    try:
        for _ in range(count):
            coming.append(thread.submit(next, iterator, _END))
        while (item := coming.popleft().result()) is not _END:
            coming.append(thread.submit(next, iterator, _END))
            yield cast(T, item)
    finally:
        # Who forgets this generator may leave its end to whatever thread collects garbage next.
        thread.shutdown(wait=threading.get_ident() not in inside, cancel_futures=True)
