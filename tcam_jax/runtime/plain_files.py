"""Files from elsewhere, before they are read: plain ones, and no larger than they can be.

Opening a named pipe waits for ever, and a file whose size was set but never written reads as
terabytes of zeros. What is refused here is an `OSError`, as of a file that cannot be read.
"""

import errno
import hashlib
import os
import stat
import zipfile
from pathlib import Path

from tcam_jax.runtime.counted import in_bytes

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


class NotPlain(OSError):
    """Why a file is not read; it reads the same as `str(error)` and as `error.strerror`."""

    def __init__(self, reason: str):
        super().__init__(errno.EINVAL, reason)
        self._reason = reason

    def __str__(self) -> str:
        return self._reason


def other_kind(path: Path) -> str | None:
    """Return what `path` leads to where that is no plain file: "a named pipe"; else None."""
    try:
        return _KINDS.get(stat.S_IFMT(path.stat().st_mode))
    except OSError:
        return None


def check_plain(path: Path, most: int | None = None) -> None:
    """Refuse what is no plain file, and a file of more than `most` bytes; nothing is opened.

    Raises:
      NotPlain: it is something else, or larger.
      OSError: it is not there, or may not be looked at.
    """
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):
        kind = _KINDS.get(stat.S_IFMT(state.st_mode), "something else")
        raise NotPlain(f"it is {kind}, where a file should be")
    if most is not None and state.st_size > most:
        raise _too_large(state.st_size, most)


def read_bytes(path: Path, most: int) -> bytes:
    """Return the content of a plain file of at most `most` bytes.

    Raises:
      NotPlain, OSError: see `check_plain`.
    """
    check_plain(path, most)
    with path.open("rb") as file:  # of some systems' own files the size is not known before
        content = file.read(most + 1)
    if len(content) > most:
        raise _too_large(len(content), most)
    return content


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal; memory does not grow with it.

    Raises:
      OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_unpacked(archive: zipfile.ZipFile, most: int) -> None:
    """Refuse an archive whose members are larger than `most` bytes together.

    Raises:
      NotPlain: they are.
    """
    size = sum(member.file_size for member in archive.infolist())
    if size > most:
        raise _too_large(size, most)


def check_written(path: Path, longest: int) -> None:
    """Refuse a file in which more than `longest` bytes in a row were never written.

    Downloads that set the size first, and break off, leave such files. Where the file system does
    not tell, all counts as written.

    Raises:
      NotPlain: it is such a file.
      OSError: it cannot be opened.
    """
    with path.open("rb") as file:
        size, end = file.seek(0, os.SEEK_END), 0
        while end < size:
            try:
                begin = os.lseek(file.fileno(), end, os.SEEK_HOLE)
                end = os.lseek(file.fileno(), begin, os.SEEK_DATA) if begin < size else size
            except OSError as error:
                if error.errno != errno.ENXIO:
                    return
                end = size  # the hole is the last
            if end - begin > longest:
                raise NotPlain(
                    f"{in_bytes(end - begin)} of its {in_bytes(size)} were never written: copy or "
                    "download it again"
                )


def _too_large(size: int, most: int) -> NotPlain:
    return NotPlain(f"it has {in_bytes(size)}, where at most {in_bytes(most)} can be")
