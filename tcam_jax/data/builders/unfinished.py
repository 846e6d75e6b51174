"""The folder of an unfinished preparation: what can be used again after an interruption."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.json_files import read_small
from tcam_jax.runtime.lock import LOCK, check_held, locked

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
_ORIGIN = "origin.json"
_PLAN = "plan.txt"
_SOURCES = "sources"


class Unfinished:
    """`folder` holds finished shards, and under `sources` unpacked archives and extracted frames.

    Two small files say what the shards were made from; where that has changed, they are made again.
    What lies under `sources` bears the state of its file in its name.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.sources = folder / _SOURCES
        self.origin = folder / _ORIGIN

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes out; the kernel lets them in again if this one dies.

        Raises:
            InputError: another process is at work here, nothing can be written here, or meanwhile
                the disk becomes full or the folder is deleted.
        """
        with contextlib.ExitStack() as held:
            try:
                self.sources.mkdir(parents=True, exist_ok=True)
                held.enter_context(locked(self.folder))
            except OSError as error:
                raise InputError(
                    f"{self.folder} cannot be written ({error.strerror}); choose another data_dir"
                ) from error
            try:
                yield
            except OSError as error:
                check_held(self.folder)  # it may be gone, whatever is missing then
                if error.errno not in _NO_ROOM:
                    raise
                raise InputError(
                    f"{self.folder} cannot be written ({error.strerror}); make room and prepare "
                    "again: what is finished is kept"
                ) from error

    def keep_if_same_origin(self, origin: str) -> None:
        """Clears the shards away unless they were made from the same `origin`."""
        self._keep_if_same(_ORIGIN, origin, keep=(LOCK, _SOURCES))

    def keep_if_same_plan(self, plan: str) -> None:
        """Clears the shards away unless they were cut in the same way."""
        self._keep_if_same(_PLAN, plan, keep=(LOCK, _ORIGIN, _SOURCES))

    def _keep_if_same(self, name: str, content: str, keep: tuple[str, ...]) -> None:
        file = self.folder / name
        with contextlib.suppress(InputError):  # not there yet, or damaged
            if read_small(file, "") == content.encode():
                return
        for entry in self.folder.iterdir():
            if entry.name in keep:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        file.write_text(content)

    @property
    def worthless(self) -> bool:
        """Whether there is no work here that a later preparation can use."""
        return not any(self.sources.iterdir()) and not any(self.folder.glob("*.array_record"))

    def remove(self) -> None:
        """Removes the folder with all that is in it."""
        shutil.rmtree(self.folder)


def link_or_move(source: Path, target: Path) -> None:
    """Gives a finished file its place: as a second name, so that dying here loses nothing."""
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.move(source, target)
