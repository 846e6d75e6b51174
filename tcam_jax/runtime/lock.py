"""One run at a time in a workdir, by a lock that the kernel drops when its process dies."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.log import log

LOCK = ".lock"


@contextmanager
def locked(workdir: Path) -> Iterator[None]:
    """Hold `workdir`, a folder that exists, for the time inside.

    Raises:
      InputError: another process holds it.
    """
    with (workdir / LOCK).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise InputError(
                f"the workdir {workdir} is in use by {file.read().strip() or 'another process'}. "
                "Wait until that run ends, or choose another workdir."
            ) from error
        except OSError as error:  # some network file systems have none
            log.warning(
                "%s cannot be locked (%s): see to it that no other run uses it",
                workdir,
                error.strerror,
            )
        file.truncate(0)
        now = datetime.now().isoformat(timespec="seconds")
        file.write(f"process {os.getpid()} of {socket.gethostname()}, since {now}\n")
        file.flush()
        yield
