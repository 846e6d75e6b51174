"""One process at a time in a folder, by a lock that the kernel drops when its process dies."""

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
_held: dict[Path, int] = {}  # absolute folder -> descriptor of its lock


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder`, which exists and can be written, for the time inside.

    Raises:
      InputError: another process holds it, or has removed it meanwhile.
    """
    path = folder / LOCK
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The process before may have removed the folder since the file was opened.
            mine = os.path.samestat(os.fstat(file.fileno()), path.stat())
        except (BlockingIOError, FileNotFoundError):
            mine = False
        except OSError as error:  # some network file systems have no locks
            mine = True
            log.warning(
                "%s cannot be locked (%s): see to it that no other process uses it",
                folder,
                error.strerror,
            )
        file.seek(0)
        if not mine:
            raise InputError(
                f"{folder} is in use by {file.read().strip() or 'another process'}. Wait until it "
                "ends, or choose another folder."
            )
        file.truncate(0)
        now = datetime.now().isoformat(timespec="seconds")
        file.write(f"process {os.getpid()} of {socket.gethostname()}, since {now}\n")
        file.flush()
        _held[folder.absolute()] = file.fileno()
        try:
            yield
        finally:
            del _held[folder.absolute()]


def check_held(path: Path) -> None:
    """Check before writing `path` that a folder above it that this process holds is still its own.

    Otherwise a folder that was deleted would be made anew, with the second half of the work in it.

    Raises:
      InputError: the folder is gone, or another one.
    """
    for folder, descriptor in list(_held.items()):
        if not path.absolute().is_relative_to(folder):
            continue
        try:
            if os.path.samestat(os.fstat(descriptor), (folder / LOCK).stat()):
                continue
        except OSError:
            pass
        raise InputError(
            f"{folder} was deleted, moved or replaced (or {LOCK} in it) while this command worked "
            "there; nothing more is written. Put it back and run the same command again: it goes "
            "on from what is there. Without it, it begins anew."
        )
