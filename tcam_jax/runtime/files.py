"""Small files that are whole or not there, whatever kills the process that writes them."""

import os
from pathlib import Path

from tcam_jax.runtime.errors import InputError


def temporary_name(path: Path) -> Path:
    """Return the hidden name beside `path` under which `write_whole` writes."""
    return path.with_name(f".{path.name}.tmp")


def write_whole(path: Path, text: str) -> None:
    """Make `text` the content of `path`: on disk, and under that name only when it is there.

    Raises:
      InputError: it cannot be written; what was there before is untouched.
    """
    temporary = temporary_name(path)
    try:
        with temporary.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> InputError:
    """Return the one error for a file or folder of a run that cannot be written."""
    return InputError(
        f"{path} cannot be written ({error.strerror}). Make room, or make it writable, and run the "
        "same command again: it goes on from what was saved."
    )
