"""Whether a video file is as long as its own header says."""

import os
import struct
from pathlib import Path
from typing import BinaryIO

_BOXES = (b"ftyp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"sidx", b"mfra", b"styp")
_OGG_END = 4
_SEGMENT = b"\x18\x53\x80\x67"


def missing_bytes(path: Path, container: str) -> int:
    """How many bytes are missing at the end of a file; 0 where its format does not say.

    Args:
        path: the file.
        container: FFmpeg's name of its format. AVI, MP4 and its relatives, Matroska with WebM, Ogg,
            ASF with WMV, FLV and MXF store lengths; streams that were recorded live may have left
            them open. GIF has a last byte.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        if container == "avi":
            end = _riff(file, size)
        elif "mp4" in container:
            end = _boxes(file, size)
        elif "matroska" in container:
            end = _matroska(file, size)
        elif container == "ogg":
            end = _ogg(file, size)
        elif container in _IN_HEADER:
            end = _IN_HEADER[container](file.read(_HEADER))
        else:
            end = _gif(file, size) if container == "gif" else 0
    return max(end - size, 0)


def _riff(file: BinaryIO, size: int) -> int:
    """The end of the last chunk; files above 1 GB have several."""
    end = 0
    while end + 8 <= size:
        file.seek(end)
        name, length = struct.unpack("<4sI", file.read(8))
        if name != b"RIFF" or length in (0, 0xFFFFFFFF):  # left open
            break
        end += 8 + length
        if end % 2 and end < size:  # chunks begin at even places
            end += 1
    return end


def _boxes(file: BinaryIO, size: int) -> int:
    """The end of the last box of those that films consist of."""
    end = 0
    while end + 8 <= size:
        file.seek(end)
        length, name = struct.unpack(">I4s", file.read(8))
        header = 8
        if length == 1:
            header, length = 16, int.from_bytes(file.read(8), "big")
        if name not in _BOXES or length < header:  # to the end, or what others appended
            return size
        end += length
    return end + 8 if end < size else end


def _matroska(file: BinaryIO, size: int) -> int:
    """The end of the segment, which holds everything; where that was left open, of its parts."""
    end = 0
    while end < size:
        file.seek(end)
        head = file.read(12)
        # A number's leading zeros tell how many bytes follow its first.
        name_bytes = 9 - head[0].bit_length()
        if name_bytes > 4 or len(head) < name_bytes + 1 or not head[name_bytes]:
            break
        more = 8 - head[name_bytes].bit_length()
        data = name_bytes + 1 + more
        length = int.from_bytes(head[name_bytes:data], "big") - (1 << 7 * (more + 1))
        if length == (1 << 7 * (more + 1)) - 1:  # left open: its parts follow
            end += data
        elif head[:name_bytes] == _SEGMENT:
            return end + data + length
        else:
            end += data + length
    return end


def _ogg(file: BinaryIO, size: int) -> int:
    """The end of the last page; pages have at most 65,307 bytes. One more if unmarked."""
    begin = max(size - 2 * 65_307, 0)
    file.seek(begin)
    tail = file.read()
    page = tail.rfind(b"OggS\0")
    head = tail[page : page + 27 + 255]
    if page < 0 or len(head) < 27:
        return 0 if page < 0 else begin + page + 28
    lengths = head[27 : 27 + head[26]]
    end = begin + page + 27 + head[26] + sum(lengths)
    return end if head[5] & _OGG_END else max(end, size) + 1


def _gif(file: BinaryIO, size: int) -> int:
    """One more byte where the last one, ";", is not there; some append zeros."""
    file.seek(max(size - 1024, 0))
    return size if file.read().rstrip(b"\0").endswith(b";") else size + 1


def _asf(head: bytes) -> int:
    """The length in the file properties; a broadcast's is not known."""
    place = head.find(_PROPERTIES)
    if place < 0 or len(head) < place + 92 or head[place + 88] & 1:
        return 0
    return int.from_bytes(head[place + 40 : place + 48], "little")


def _flv(head: bytes) -> int:
    """`filesize` of the metadata, where a writer has filled it in."""
    place = head.find(b"\0\x08filesize\0")
    number = head[place + 11 : place + 19]
    if place < 0 or len(number) < 8:
        return 0
    (value,) = struct.unpack(">d", number)
    return int(value) if 0 < value < 2**53 else 0


def _mxf(head: bytes) -> int:
    """The beginning of the footer, behind which there is nothing to see; 0 in one left open."""
    place = head.find(_PARTITION)
    if place < 0 or len(head) < place + 60:
        return 0
    more = head[place + 16] & 0x7F if head[place + 16] & 0x80 else 0  # bytes of the length
    footer = place + 17 + more + 24
    return int.from_bytes(head[footer : footer + 8], "big")


_HEADER = 1 << 16  # bytes in which these say how long they are
_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_PARTITION = bytes.fromhex("060e2b34020501010d0102010102")
_IN_HEADER = {"asf": _asf, "flv": _flv, "mxf": _mxf}
