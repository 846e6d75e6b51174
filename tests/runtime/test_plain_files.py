"""What is no file is not opened, what is too large is not read."""

import errno
import hashlib
import os
import socket
import zipfile
from pathlib import Path

import pytest

from tcam_jax.runtime.counted import in_bytes
from tcam_jax.runtime.plain_files import (
    NotPlain,
    check_plain,
    check_unpacked,
    check_written,
    other_kind,
    read_bytes,
    sha256_of,
)


def sparse(path: Path, head: bytes = b"", size: int = 10**12) -> Path:
    """A file of a terabyte, of which nothing but its head was written."""
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)
    return path


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def test_what_is_no_file_is_told_and_not_opened(tmp_path):
    pipe(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(tmp_path / "socket"))  # its path must be short
    kinds = {
        tmp_path / "pipe": "a named pipe",
        tmp_path / "link": "a named pipe",
        tmp_path / "socket": "a socket",
        Path("/dev/zero"): "a device",
        tmp_path: "a folder",
    }
    for path, kind in kinds.items():
        assert other_kind(path) == kind
        with pytest.raises(NotPlain, match=f"^it is {kind}, where a file should be$") as caught:
            read_bytes(path, 10)
        assert caught.value.strerror == str(caught.value)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dead").symlink_to("nowhere")
    for name, number in (("loop", errno.ELOOP), ("dead", errno.ENOENT), ("no", errno.ENOENT)):
        assert other_kind(tmp_path / name) is None
        with pytest.raises(OSError) as caught:
            check_plain(tmp_path / name)
        assert caught.value.errno == number


def test_what_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"nine byte")
    assert other_kind(path) is None
    assert read_bytes(path, 9) == path.read_bytes()
    assert sha256_of(path) == hashlib.sha256(b"nine byte").hexdigest()
    with pytest.raises(NotPlain, match="^it has 9 bytes, where at most 8 bytes can be$"):
        read_bytes(path, 8)
    with pytest.raises(NotPlain, match=r"^it has 1\.0 TB, where at most 1\.0 MB can be$"):
        read_bytes(sparse(tmp_path / "b"), 10**6)
    with pytest.raises(NotPlain, match="where at most 3 bytes can be"):
        read_bytes(Path("/proc/self/maps"), 3)  # its size reads 0


def test_the_members_of_an_archive_count_as_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(10**6))
        archive.writestr("b", bytes(10**6))
        check_unpacked(archive, 2 * 10**6)
        with pytest.raises(NotPlain, match=r"it has 2\.0 MB, where at most 2\.0 MB can be"):
            check_unpacked(archive, 2 * 10**6 - 1)


@pytest.mark.parametrize("tail", [b"", b"end"])
def test_what_was_never_written_is_found_wherever_it_is(tmp_path, tail):
    path = sparse(tmp_path / "a", b"x" * 5000, size=2 * 10**9)
    with path.open("ab") as file:
        file.write(tail)
    check_written(path, 2 * 10**9)
    with pytest.raises(NotPlain, match=r"^2\.0 GB of its 2\.0 GB were never written: copy or"):
        check_written(path, 10**8)
    path.write_bytes(b"x" * 5000)
    check_written(path, 0)
    path.write_bytes(b"")
    check_written(path, 0)


def test_numbers_of_bytes():
    numbers = (0, 999, 1500, 10**6, 2 * 10**9, 10**12, 5 * 10**15)
    wanted = ["0 bytes", "999 bytes", "1.5 KB", "1.0 MB", "2.0 GB", "1.0 TB", "5000.0 TB"]
    assert [in_bytes(number) for number in numbers] == wanted
