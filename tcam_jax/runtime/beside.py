"""Work done beside the caller's own: one piece at a time, in a thread."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

T = TypeVar("T")


class Beside(Generic[T]):
    """A thread that does one piece of work at a time; what it raises, the caller gets.

    Attributes:
      seconds: of work done, up to the last piece that was taken.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._thread = ThreadPoolExecutor(1)
        self._work: Future[tuple[T, float]] | None = None

    def start(self, work: Callable[[], T]) -> None:
        """Begin `work`; before, wait for the piece under way, whose result is lost.

        Raises:
          Exception: what that piece raised; `work` is then not begun.
        """
        self.take()

        def timed() -> tuple[T, float]:
            began = time.monotonic()
            return work(), time.monotonic() - began

        self._work = self._thread.submit(timed)

    def is_done(self) -> bool:
        """Tell whether `take` would not wait."""
        return self._work is None or self._work.done()

    def wait(self, seconds: float) -> bool:
        """Wait so long at most for the piece under way; tell whether `take` would not wait."""
        if self._work is not None:
            wait([self._work], seconds)
        return self.is_done()

    def take(self) -> T | None:
        """Wait for the piece under way; return its result, once. None: there is none.

        Raises:
          Exception: what it raised.
        """
        work, self._work = self._work, None
        if work is None:
            return None
        result, seconds = work.result()
        self.seconds += seconds
        return result

    def has_failed(self) -> bool:
        """Tell, without waiting, whether `take` would raise."""
        return self._work is not None and self._work.done() and self._work.exception() is not None

    def close(self) -> None:
        """Wait for the piece under way, whatever comes of it; nothing can be started any more."""
        self._work = None
        self._thread.shutdown()
