"""Lengths that video files store about themselves; the files are written here byte by byte."""

import struct

import pytest

from tcam_jax.data.video_bytes import missing_bytes


def riff(length: int) -> bytes:
    return struct.pack("<4sI", b"RIFF", length) + bytes(length)


def box(name: bytes, length: int, large: bool = False) -> bytes:
    if large:
        return struct.pack(">I4sQ", 1, name, 16 + length) + bytes(length)
    return struct.pack(">I4s", 8 + length, name) + bytes(length)


def element(name: str, length: int | None, of: bytes | None = None) -> bytes:
    content = bytes(length or 0) if of is None else of
    size = b"\x01" + bytes([0xFF] * 7) if length is None else (0x4000 | length).to_bytes(2, "big")
    return bytes.fromhex(name) + size + content


BLOCK = element("a3", 50)
HEAD = element("1a45dfa3", 20)
CLUSTER = element("1f43b675", len(3 * BLOCK), 3 * BLOCK)
LIVE = element("1f43b675", None, 3 * BLOCK)


def page(length: int, last: bool = False) -> bytes:
    sizes = bytes([255] * (length // 255) + [length % 255])
    return b"OggS\0" + bytes([4 * last]) + bytes(20) + bytes([len(sizes)]) + sizes + bytes(length)


FILES = {
    "avi": ("avi", riff(1000)),
    "avi above 1 GB": ("avi", riff(1000) + riff(501) + b"\0" + riff(100)),
    "mp4": ("mov,mp4,m4a", box(b"ftyp", 20) + box(b"moov", 300) + box(b"mdat", 900)),
    "mp4 above 4 GB": ("mov,mp4,m4a", box(b"ftyp", 20) + box(b"mdat", 900, large=True)),
    "matroska": ("matroska,webm", HEAD + element("18538067", 2 * len(CLUSTER), 2 * CLUSTER)),
    "matroska, live": ("matroska,webm", HEAD + element("18538067", None, 2 * CLUSTER)),
    "webm, live": ("matroska,webm", HEAD + element("18538067", None, 2 * LIVE)),
    "ogg": ("ogg", page(800) + page(255, last=True)),
}


@pytest.mark.parametrize("name", FILES)
def test_what_is_cut_off_is_missed(tmp_path, name):
    container, content = FILES[name]
    file = tmp_path / "file"
    file.write_bytes(content)
    assert missing_bytes(file, container) == 0
    file.write_bytes(content[:-30])
    assert missing_bytes(file, container) == 30
    file.write_bytes(content[:-1])
    assert missing_bytes(file, container) == 1


@pytest.mark.parametrize(
    ("container", "content"),
    [
        ("asf", bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365") + bytes([255] * 90)),  # live
        ("asf", bytes(200)),
        ("flv", b"FLV\0\x08filesize\0" + struct.pack(">d", 0.0)),  # never closed
        ("flv", b"FLV\0\x08filesize\0" + struct.pack(">d", float("nan"))),
        ("mxf", bytes.fromhex("060e2b34020501010d0102010102") + bytes(100)),
        ("avi", struct.pack("<4sI", b"RIFF", 0) + bytes(50)),  # never closed
        ("avi", riff(50) + b"garbage" * 3),
        ("mov,mp4,m4a", box(b"ftyp", 20) + struct.pack(">I4s", 0, b"mdat") + bytes(50)),
        ("mov,mp4,m4a", box(b"ftyp", 20) + b"something else"),
        ("mov,mp4,m4a", b""),
        ("matroska,webm", b""),
        ("matroska,webm", HEAD + element("18538067", None, CLUSTER + bytes(50))),
        ("ogg", bytes(200)),
        ("gif", b"GIF89a;" + bytes(20)),
        ("mpegts", b"G" * 100),
    ],
)
def test_nothing_is_said_where_the_file_does_not(tmp_path, container, content):
    (tmp_path / "file").write_bytes(content)
    assert missing_bytes(tmp_path / "file", container) == 0


def test_an_ogg_without_its_last_page_is_missed(tmp_path):
    (tmp_path / "file").write_bytes(page(800) + page(255))
    assert missing_bytes(tmp_path / "file", "ogg") == 1
