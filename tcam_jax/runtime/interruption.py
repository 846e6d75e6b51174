"""SIGTERM, SIGINT, SIGHUP as a question asked at safe points: nothing is lost by stopping.

It imports nothing heavy: a command can heed signals before JAX is loaded.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, TypeVar

from tcam_jax.runtime.terminal import say

T = TypeVar("T")

EXIT_STATUS = 75  # EX_TEMPFAIL of sysexits.h: the same command, run again, goes on

_BY_KEYBOARD = 128 + signal.SIGINT  # as shells have it
_STOPPED = "stopped from the keyboard"
_STOPPING = (
    "stopping where nothing is lost, which may take a minute; Ctrl-C again stops at once and loses "
    "what is not saved"
)


class Interrupted(Exception):
    """The work stopped at a safe point because it was asked to; what was done is saved."""


class Interruption:
    """While entered, SIGTERM, SIGINT and SIGHUP only set a flag, which `requested` reads.

    Python runs a handler between two of its own instructions: a signal during a compilation, a
    step or a write is seen when that ends. A second SIGINT raises KeyboardInterrupt at once, for
    the person at the keyboard who does not want to wait. SIGHUP comes when a terminal or its ssh is
    closed; where it is ignored, as `nohup` has it, it stays so.
    """

    def __init__(self) -> None:
        self._signal: signal.Signals | None = None
        self._previous: dict[int, Any] = {}  # handlers, as `signal` takes them
        # Several processes must stop at the same point: they agree, see `agree_by`.
        self._any: Callable[[bool], bool] = bool

    def __enter__(self) -> "Interruption":
        numbers = [signal.SIGTERM, signal.SIGINT]
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            numbers.append(signal.SIGHUP)
        for number in numbers:
            self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def agree_by(self, all_reduce_any: Callable[[bool], bool]) -> None:
        """From now on `requested` is a collective call: true where any process was signalled."""
        self._any = all_reduce_any

    @property
    def here(self) -> bool:
        """Whether this process was signalled; asks no other."""
        return self._signal is not None

    def requested(self) -> bool:
        """Whether to stop at the next safe point; all processes get the same answer."""
        return self._any(self.here)

    def check(self) -> None:
        """Stop here, where nothing needs saving.

        Raises:
          Interrupted: `requested`.
        """
        if self.requested():
            raise Interrupted

    def between(self, items: Iterable[T]) -> Iterator[T]:
        """Yield `items`, with a `check` before each."""
        for item in items:
            self.check()
            yield item

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self._signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._signal = signal.Signals(number)
        if number == signal.SIGINT:
            # Not by the stream, which the signal may have found in the middle of a write.
            with suppress(OSError):
                os.write(2, f"{_STOPPING}\n".encode())


def end_at_ctrl_c() -> None:
    """Until `one_line_at_ctrl_c`, end the process with its line in the handler itself.

    For while modules are imported: some written in C swallow a KeyboardInterrupt and go on, others
    make an ImportError of it. Where SIGINT is ignored or somebody else's, it stays so.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def _end(*_: object) -> None:
    say(_STOPPED, error=True)
    os._exit(_BY_KEYBOARD)


@contextmanager
def one_line_at_ctrl_c() -> Iterator[None]:
    """End the process with a line, in the place of a traceback, at Ctrl-C.

    For where nobody heeds signals yet, and for the second Ctrl-C where somebody does.
    """
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        say(_STOPPED, error=True)
        sys.exit(_BY_KEYBOARD)
