"""The package's log: standard output above the progress bar, and a file of the run.

Its handlers never raise: a line that nobody can read any more is no reason to end a training.
"""

import contextlib
import logging
import sys
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm

from tcam_jax.runtime.terminal import one_line

log = logging.getLogger("tcam_jax")


def start_logging(workdir: Path, quiet: bool = False) -> None:
    """Send the package's log to standard output and, appending, to `workdir/log.txt`.

    Args:
      workdir: of the run.
      quiet: of a process beside the one that writes: nothing is logged but warnings about the
        data, which no other process may see, to standard error.
    """
    log_to_terminal(quiet)
    if not quiet:
        _add(_File(workdir / "log.txt", encoding="utf-8", errors="backslashreplace"))


def log_to_terminal(quiet: bool = False) -> None:
    """Send the package's log to standard output alone; `quiet` as of `start_logging`."""
    log.setLevel(logging.CRITICAL if quiet else logging.INFO)
    log.propagate = False
    log.handlers.clear()
    if quiet:
        logging.getLogger("tcam_jax.data").setLevel(logging.WARNING)
        _add(_Errors(), "%(message)s")
    else:
        _add(_AboveTheBar())


def _add(handler: logging.Handler, form: str = "%(asctime)s %(message)s") -> None:
    handler.setFormatter(_OneLine(form, "%H:%M:%S"))
    log.addHandler(handler)


class _OneLine(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:
        return one_line(super().formatMessage(record))


def is_terminal(stream: Any) -> bool:
    """Whether somebody may be looking at `stream`; None and a closed one are no terminal."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


class _NeverRaising(logging.Handler):
    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        gone = isinstance(error, OSError) or "closed file" in str(error)
        with contextlib.suppress(Exception):
            if not gone:  # a mistake in the call: shown, if it can be
                super().handleError(record)


class _File(_NeverRaising, WatchedFileHandler):
    """Of a file that is made anew where somebody removed it."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            super().emit(record)
        except OSError:  # its folder is gone
            self.handleError(record)


class _Errors(_NeverRaising, logging.StreamHandler[TextIO]):
    pass


class _AboveTheBar(_NeverRaising):
    def emit(self, record: logging.LogRecord) -> None:
        if sys.stdout is None:  # it was closed when the process began
            return
        try:
            text = self.format(record)
            encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
            text = text.encode(encoding, "backslashreplace").decode(encoding)
            tqdm.write(text, file=sys.stdout)
            sys.stdout.flush()
        except Exception:
            self.handleError(record)
