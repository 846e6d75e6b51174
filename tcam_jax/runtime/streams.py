"""Standard output and error that may go away while a command works: it goes on without them.

A pipe's reader that ended, a terminal that was closed, a full disk behind `> file`, or `>&-`: each
would else end the work, at the next line that somebody should have read.
"""

import contextlib
import os
import sys
from collections.abc import Iterable
from typing import Any, TextIO, cast

from tcam_jax.runtime.log import log


def keep_streams() -> None:
    """Make writing to `sys.stdout` and `sys.stderr` never raise, whatever they are."""
    # Closed ones first: the next file to be opened, a checkpoint say, would else get what libraries
    # print. The lowest free number is given.
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = cast(TextIO, _Lasting(sys.stdout, "standard output"))
    sys.stderr = cast(TextIO, _Lasting(sys.stderr, "standard error"))


def lasting_errors(descriptor: int) -> TextIO:
    """Return a `sys.stderr` like that of `keep_streams`, of another descriptor."""
    stream = open(descriptor, "w", encoding=sys.stderr.encoding, buffering=1)  # noqa: SIM115
    return cast(TextIO, _Lasting(stream, "standard error"))


class _Lasting:
    """A text stream that is given up when it cannot be written; otherwise the `stream` itself."""

    def __init__(self, stream: TextIO | None, name: str):
        self._stream, self._name = stream or _nowhere(), name
        with contextlib.suppress(AttributeError, OSError, ValueError):
            # "τ", or a file's name, that the terminal's encoding does not have.
            cast(Any, self._stream).reconfigure(errors="backslashreplace")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write `text`, if it can be."""
        try:
            return self._stream.write(text)
        except (OSError, ValueError) as error:
            self._give_up(error)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write `lines`, if they can be."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush, if it can be."""
        try:
            self._stream.flush()
        except (OSError, ValueError) as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        lost, self._stream = self._stream, _nowhere()
        # Also for what libraries write, and for what is still in the buffer when Python ends.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(self._stream.fileno(), lost.fileno())
        if getattr(lost, "closed", False):
            return  # a library closed it, as they do when Python ends
        # A reader that has seen enough is no fault.
        say = log.info if isinstance(error, BrokenPipeError) else log.warning
        say("%s cannot be written any more (%s); the work goes on", self._name, error)


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
