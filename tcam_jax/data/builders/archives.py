"""Unpacking tar archives: whole or not at all, and never outside of their folder.

`tarfile`'s own filters are not relied on: some versions of Python let links lead outside of them.
"""

import gzip
import lzma
import shutil
import tarfile
import zlib
from pathlib import Path

from tqdm import tqdm

from tcam_jax.runtime.counted import in_bytes
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.plain_files import check_plain, check_written

SUFFIXES = (".tar.gz", ".tgz", ".tar")

_CHUNK = 1 << 20
_MOST_OF_HEADERS = 1 << 18  # bytes of one that is about another: a path has at most 4,096
_MOST_BEHIND = 1 << 28  # bytes behind the end, which some programs fill up with zeros
_LONGEST_HOLE = 1 << 27  # bytes: decompressors pass over zeros, as long as they come
_LEFT_FREE = 1 << 26  # bytes of the disk that unpacking leaves to others
_ORDINARY = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE)
_DAMAGE = (
    *(tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError),
    *(ValueError, LookupError, RecursionError, MemoryError),  # of `tarfile`, by headers of nonsense
)


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
        InputError: the archive is damaged, has a member that is neither a file nor a folder or
            would lie outside of the folder, does not fit onto the disk, or cannot be read or
            written. What was unpacked of it is removed.
    """
    name = archive_name(archive) or archive.name
    try:
        check_plain(archive)
        check_written(archive, _LONGEST_HOLE)
        state = archive.stat()
    except OSError as error:
        raise InputError(f"{archive} cannot be unpacked: {error.strerror}") from error
    target = parent / f"{name}.{state.st_size}.{state.st_mtime_ns}"
    if not target.exists():
        unfinished = parent / f"{name}.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        # Inside a folder of the archive's name, for archives that have none themselves.
        content = unfinished / name
        try:
            content.mkdir(parents=True)
            _extract(archive, content)
            unfinished.rename(target)
        except InputError:
            raise
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
        finally:  # a disk filled half way is not left so
            shutil.rmtree(unfinished, ignore_errors=True)
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
        tarfile.open(fileobj=watched, tarinfo=_Member) as tar,
    ):
        _check_room(archive, size, folder)  # frames are hardly smaller packed: said at once
        while (member := tar.next()) is not None:
            tar.members = []  # it would keep all of them
            _write(archive, tar, member, folder)
        _check_end(tar)


class _Member(tarfile.TarInfo):
    """A member of whose headers no more is read than can be sound: `tarfile` has no limits."""

    _OF_HEADERS = (
        *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE),
        tarfile.SOLARIS_XHDTYPE,
    )

    # Made to be overridden, says `tarfile`: each header comes here before what it is about is read.
    def _proc_member(self, tar: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in self._OF_HEADERS:
            kept = sum(len(key) + len(value) for key, value in tar.pax_headers.items())
            if not 0 <= self.size <= _MOST_OF_HEADERS - kept:  # a negative one means all there is
                raise tarfile.ReadError("a header without end")
        if self.type == tarfile.GNUTYPE_SPARSE:  # refused later, like what follows
            return self._proc_builtin(tar)  # type: ignore[attr-defined]
        return super()._proc_member(tar)  # type: ignore[misc]

    def _proc_gnusparse_10(self, *_: object) -> None:
        raise tarfile.ReadError("a member with holes")


def _write(archive: Path, tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    target = _target(archive, member, folder)
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return
    _check_room(archive, member.size, folder)
    source = tar.extractfile(member)
    assert source is not None  # it is a file
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        shutil.copyfileobj(source, file, _CHUNK)


def _target(archive: Path, member: tarfile.TarInfo, folder: Path) -> Path:
    """Where `member` is to lie below `folder`.

    Raises:
        InputError: it is neither a file nor a folder, or would lie elsewhere.
    """
    problem = None
    if member.type not in _ORDINARY or member.issparse() or member.size < 0:
        problem = "is neither a regular file nor a folder"
    elif "\0" in member.name:
        problem = "has a name that no file can have"
    else:
        target = (folder / member.name).resolve()
        if target.is_relative_to(folder.resolve()):
            return target
        problem = "would lie outside of the folder that it is unpacked into"
    raise InputError(
        f"{archive} cannot be unpacked: its member {member.name!r} {problem}; download the archive "
        "again, or unpack it yourself and give the folder"
    )


def _check_room(archive: Path, size: int, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if size + _LEFT_FREE > free:
        raise InputError(
            f"{archive} cannot be unpacked into {folder}: {size / 1e6:.0f} MB more are to be "
            f"written, {free / 1e6:.0f} MB are free, of which {_LEFT_FREE / 1e6:.0f} MB must stay; "
            "make room, or check what the archive holds, and prepare again"
        )


def _check_end(tar: tarfile.TarFile) -> None:
    """`tarfile` takes a damaged header for the end; and gzip's checksum stands at its very end."""
    stream = tar.fileobj
    # The last thing read must be one block (512 bytes) of the zeros that end an archive.
    whole = stream.tell() == tar.offset + tarfile.BLOCKSIZE
    behind = 0
    while chunk := stream.read(_CHUNK):
        whole = whole and not chunk.strip(b"\0")
        behind += len(chunk)
        if behind > _MOST_BEHIND:
            raise tarfile.ReadError(f"more than {in_bytes(_MOST_BEHIND)} behind its end")
    if not whole:
        raise tarfile.ReadError("it breaks off, or a part of it is damaged")
