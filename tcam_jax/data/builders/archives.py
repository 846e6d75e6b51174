"""Unpacking tar archives: whole or not at all, and never outside of their folder."""

import gzip
import lzma
import shutil
import tarfile
import zlib
from pathlib import Path

from tqdm import tqdm

from tcam_jax.runtime.errors import InputError

SUFFIXES = (".tar.gz", ".tgz", ".tar")

_CHUNK = 1 << 20
_DAMAGE = (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError)


def archive_name(path: Path) -> str | None:
    """The file's name without the suffix of an archive; None where it is no archive."""
    for suffix in SUFFIXES:
        if path.name.lower().endswith(suffix):
            return path.name[: -len(suffix)]
    return None


def unpack(archive: Path, parent: Path) -> Path:
    """Unpacks `archive` below `parent`, unless this file was unpacked there earlier.

    Returns:
        The folder with the content. It bears the archive's name without suffix; a folder of this
        name which is all that the archive holds is not repeated.

    Raises:
        InputError: the archive is damaged, has a member that would lie outside of the folder, or
            cannot be read or written.
    """
    name = archive_name(archive) or archive.name
    try:
        state = archive.stat()
    except OSError as error:
        raise InputError(f"{archive} cannot be unpacked: {error.strerror}") from error
    target = parent / f"{name}.{state.st_size}.{state.st_mtime_ns}"
    if not target.exists():
        unfinished = parent / f"{name}.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        # Inside a folder of the archive's name, for archives that have none themselves.
        content = unfinished / name
        content.mkdir(parents=True)
        try:
            _extract(archive, content)
        except _DAMAGE as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise InputError(
                f"{archive} cannot be unpacked ({reason}); it is damaged, "
                "incomplete or not what it should be: download it again"
            ) from error
        except OSError as error:
            raise InputError(
                f"{archive} cannot be unpacked into {unfinished}: {error.strerror or error}; make "
                "room or mend the permissions, and prepare again"
            ) from error
        unfinished.rename(target)
    content = target / name
    inner = content / name
    return inner if inner.is_dir() and list(content.iterdir()) == [inner] else content


def _extract(archive: Path, folder: Path) -> None:
    size = archive.stat().st_size
    with (
        archive.open("rb") as file,
        tqdm.wrapattr(
            file, "read", total=size, desc=f"unpacking {archive.name}", disable=None
        ) as watched,
        tarfile.open(fileobj=watched) as tar,
    ):
        for member in tar:
            tar.extract(member, folder, filter="data")
        _check_end(tar)


def _check_end(tar: tarfile.TarFile) -> None:
    """`tarfile` takes a damaged header for the end; and gzip's checksum stands at its very end."""
    stream = tar.fileobj
    # The last thing read must be one block (512 bytes) of the zeros that end an archive.
    whole = stream.tell() == tar.offset + tarfile.BLOCKSIZE
    while chunk := stream.read(_CHUNK):
        whole = whole and not chunk.strip(b"\0")
    if not whole:
        raise tarfile.ReadError("it breaks off, or a part of it is damaged")
