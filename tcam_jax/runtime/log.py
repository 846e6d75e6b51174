"""The package's log: standard output above the progress bar, and a file of the run."""

import logging
import sys
from pathlib import Path

from tqdm import tqdm

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
        _add(logging.FileHandler(workdir / "log.txt"))


def log_to_terminal(quiet: bool = False) -> None:
    """Send the package's log to standard output alone; `quiet` as of `start_logging`."""
    log.setLevel(logging.CRITICAL if quiet else logging.INFO)
    log.propagate = False
    log.handlers.clear()
    if quiet:
        logging.getLogger("tcam_jax.data").setLevel(logging.WARNING)
        log.addHandler(logging.StreamHandler())
    else:
        _add(_AboveTheBar())


def _add(handler: logging.Handler) -> None:
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    log.addHandler(handler)


class _AboveTheBar(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stdout)
        sys.stdout.flush()
