"""Compiled programs on disk: whole or not there, never a damaged one, and nobody else's.

JAX's own cache writes an entry under its final name, never replaces one that is there, and has no
checksum in the entries that Zstandard compressed: what a kill or a full disk left of an entry stays
and is compiled again at each start. `check_entries` puts `Programs` in its place.
"""

import contextlib
import hashlib
import os
import secrets
import threading
import time
import zlib
from pathlib import Path
from typing import Any

import jax

# All that is used of what JAX does not publish: the function by which it opens its cache, once,
# when the first program is looked up. tests/runtime/test_programs.py fails where a JAX does
# without it.
from jax._src import compilation_cache

from tcam_jax.runtime.log import log

# Behind an entry lies its SHA-256, as a frame that Zstandard skips (RFC 8878, 3.1.2) and that zlib
# does not read: JAX without this module takes these entries too.
_DIGEST = hashlib.sha256
_MARK = b"\x50\x2a\x4d\x18" + _DIGEST().digest_size.to_bytes(4, "little")
_TAIL = len(_MARK) + _DIGEST().digest_size
_ABANDONED = 3600.0  # s; a file is written in less than one

_jax_opens = compilation_cache.get_file_cache


class Programs:
    """Compiled programs in a folder, in the place of JAX's `LRUCache`.

    What cannot be written is said once and not kept; what is damaged is said once and removed.
    Neither ends anything.

    Args:
      folder: made if it is not there. What an earlier process was writing when it was killed is
        removed.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder.absolute()  # JAX logs it under this name
        self._said: set[str] = set()
        self._lock = threading.Lock()
        with contextlib.suppress(OSError):  # `put` will say it
            self._path.mkdir(parents=True, exist_ok=True)
            for left in self._path.glob(".*.tmp"):
                if left.stat().st_mtime < time.time() - _ABANDONED:
                    left.unlink()

    def get(self, key: str) -> bytes | None:
        """Return the entry of `key`, None if there is none; one that is damaged is removed."""
        path = self._file(key)
        why = "its content is not what was written"
        try:
            value = _checked(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            value, why = None, str(error.strerror)
        if value is None:
            self._say("A compiled program was damaged and is compiled again: %s (%s).", path, why)
            with contextlib.suppress(OSError):  # in a folder that is only read
                path.unlink()
        return value

    def put(self, key: str, value: bytes) -> None:
        """Keep `value`: the entry of `key`, whatever was there, is this one, or stays as it was."""
        path = self._file(key)
        # Not named by its key, whose name may be as long as a name can be; of this writer alone.
        temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
        try:
            # Not synchronised: the digest tells what a power cut left, and a start has dozens.
            with temporary.open("xb") as file:
                file.write(value)  # of up to hundreds of megabytes: not copied
                file.write(_MARK + _DIGEST(value).digest())
            temporary.replace(path)
        except OSError as error:
            self._say("Compiled programs cannot be kept: %s (%s).", path, error.strerror)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()

    def _file(self, key: str) -> Path:
        return self._path / f"{key}-cache"  # as JAX calls it

    def _say(self, text: str, *values: object) -> None:
        with self._lock:
            new = text not in self._said
            self._said.add(text)
        if new:
            log.warning(text, *values)


def _checked(data: bytes) -> bytes | None:
    """Return the entry in a file's content, if its checksum is there and right."""
    value, tail = data[:-_TAIL], data[-_TAIL:]
    if tail.startswith(_MARK):
        return value if tail[len(_MARK) :] == _DIGEST(value).digest() else None
    try:  # of JAX alone: zlib has a checksum, Zstandard as JAX calls it none
        zlib.decompress(data)
    except zlib.error:
        return None
    return data


def check_entries() -> None:
    """Let JAX keep its programs by `Programs`, from the first that it looks up after this call.

    Not where they lie in no local folder (`gs://…`), where JAX is to limit their size
    (`JAX_COMPILATION_CACHE_MAX_SIZE`), or compares entries itself.
    """
    compilation_cache.get_file_cache = _open


def _open(path: str) -> Any:
    settings: Any = jax.config  # jax adds the attributes when it is imported
    limited = settings.jax_compilation_cache_max_size != -1
    if "://" in path or limited or settings.jax_compilation_cache_check_contents:
        return _jax_opens(path)
    return Programs(Path(path)), path


def private_folder(folder: Path) -> str | None:
    """Make `folder` and the one it lies in, or see that they are this user's alone.

    JAX executes what lies there: who can write there can run what he likes as this user. What
    others can only read is closed to them.

    Args:
      folder: of compiled programs.

    Returns:
      None, or why it is not to be used.
    """
    try:
        for part in (folder.parent, folder):
            part.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = part.stat()
            if found.st_uid != os.geteuid():
                return f"{part} belongs to another user"
            if found.st_mode & 0o022:
                return f"others can write into {part}"
            if found.st_mode & 0o077:
                part.chmod(found.st_mode & 0o700)
    except OSError as error:
        return f"{error.filename or folder}: {error.strerror}"
    return None
