"""TensorBoard's event files, written by whoever calls: a failure is an OSError there and then.

tensorboardX's own SummaryWriter writes in a thread. Where the disk is full the thread dies with a
traceback of its own, and whoever has more to write waits for it for ever.
"""

import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

_FLUSH_EVERY = 120  # seconds


class Events:
    """A new file of events in `folder`, which exists.

    Args:
      folder: of one run's events.
      purge_step: what earlier files say of this step and later ones is hidden; None: nothing is.

    Raises:
      OSError: from any method but `close`: it cannot be written.
    """

    def __init__(self, folder: Path, purge_step: int | None = None):
        from tensorboardX import RecordWriter, summary
        from tensorboardX.proto.event_pb2 import Event, SessionLog

        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}"
        self._summary, self._event = summary, Event
        self._file, self._flushed = RecordWriter(str(folder / name)), -np.inf
        self._write(file_version="brain.Event:2")
        if purge_step is not None:
            self._write(step=purge_step, session_log=SessionLog(status=SessionLog.START))

    def scalars(self, step: int, named: Mapping[str, float]) -> None:
        """Write numbers of one step."""
        for name, value in named.items():
            self._write(step=step, summary=self._summary.scalar(name, value))
        if time.monotonic() - self._flushed > _FLUSH_EVERY:
            self.flush()

    def picture(self, step: int, name: str, picture: np.ndarray) -> None:
        """Write a picture, uint8 `[h, w, 3]`."""
        made = self._summary.image(name, picture, dataformats="HWC")
        self._write(step=step, summary=made)

    def flush(self) -> None:
        """Return when what was written is on disk."""
        self._file.flush()
        self._flushed = time.monotonic()

    def close(self) -> None:
        """Write what can be, and close."""
        with suppress(OSError):  # all that matters is flushed, see `StageLogs.validation`
            self._file.close()

    def _write(self, **fields: object) -> None:
        event = self._event(wall_time=time.time(), **fields)
        self._file.write(event.SerializeToString())
