"""Small files that are whole or not there, whatever kills the process that writes them."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from tcam_jax.runtime.errors import InputError

_TEXT = {"encoding": "utf-8", "errors": "backslashreplace"}


def temporary_name(path: Path) -> Path:
    """Return the hidden name beside `path` under which `write_whole` writes."""
    return path.with_name(f".{path.name}.tmp")


def write_whole(path: Path, content: str | bytes) -> None:
    """Make `content` that of `path`: on disk, and under that name only when it is there.

    Raises:
      InputError: it cannot be written; what was there before is untouched.
    """
    with _opened(path, "wb") if isinstance(content, bytes) else _opened(path, "w", **_TEXT) as file:
        file.write(content)


@contextmanager
def writing_whole(path: Path, newline: str | None = None) -> Iterator[TextIO]:
    """Open a text file for writing, UTF-8, that has its name only when the block ends well.

    Bytes of a name that are no UTF-8 are written as \\udcXX: the file stays text.

    Args:
      path: the file; what is there stays until then.
      newline: as of `open`.

    Raises:
      InputError: it cannot be written.
    """
    with _opened(path, "w", newline=newline, **_TEXT) as file:
        yield file


@contextmanager
def _opened(path: Path, mode: str, **options: Any) -> Iterator[Any]:
    temporary = temporary_name(path)
    try:
        with temporary.open(mode, **options) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise cannot_write(path, error) from error
        raise


def cannot_write(path: Path, error: OSError) -> InputError:
    """Return the one error for a file or folder of a run that cannot be written."""
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ESTALE):
        return InputError(
            f"{path} cannot be written: it, or a folder above it, is not there "
            f"({error.strerror}). Where it was deleted, moved or replaced meanwhile, put it back; "
            "then run the same command again."
        )
    return InputError(
        f"{path} cannot be written ({error.strerror}). Make room, or make it writable, and run the "
        "same command again: it goes on from what was saved."
    )
