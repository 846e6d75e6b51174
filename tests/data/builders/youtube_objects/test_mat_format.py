"""The reader of MATLAB's format against SciPy's, and against what breaks SciPy's."""

import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from tcam_jax.data.builders.youtube_objects import mat_format
from tcam_jax.data.builders.youtube_objects.mat_format import Cells, Other, Structs, read_variable
from tests.runtime.test_plain_files import pipe, sparse

HEADER = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM"


def element(kind: int, data: bytes, order: str = "<") -> bytes:
    padding = b"" if kind == 15 else bytes(-len(data) % 8)
    return struct.pack(f"{order}II", kind, len(data)) + data + padding


def head(kind: int, *shape: int, name: bytes = b"", order: str = "<", flags: int = 0) -> bytes:
    size = struct.pack(f"{order}{len(shape)}i", *shape)
    flags = struct.pack(f"{order}II", kind | flags, 0)
    parts = element(6, flags, order), element(5, size, order), element(1, name, order)
    return b"".join(parts)


def nested(depth: int) -> bytes:
    """`coor`, a cell in a cell …, the innermost empty."""
    inside = head(1, 1, 1)
    content, size = [], 8
    for level in range(depth):
        outer = level == depth - 1
        front = head(1, 1, 1, name=b"coor") if outer else inside
        size += len(front)
        content.append(struct.pack("<II", 14, size) + front)
        size += 8
    return HEADER + b"".join(reversed(content)) + element(14, b"") + bytes(8)


def compressed(data: bytes) -> bytes:
    return element(15, zlib.compress(data))


def plain(value):
    """SciPy's value as ours."""
    shape = value.shape
    if value.dtype.names:
        entries = [tuple(plain(np.asarray(x)) for x in entry) for entry in value.ravel()]
        return Structs(shape, value.dtype.names, entries)
    if value.dtype.kind == "O":
        return Cells(shape, [plain(np.asarray(x)) for x in value.ravel()])
    if value.dtype.kind == "U":
        return str(value.item()) if value.size == 1 else "" if not value.size else "rows"
    return "complex" if value.dtype.kind == "c" else (shape, value.tolist())


def ours(value):
    match value:
        case Cells(shape, entries):
            return Cells(shape, [ours(entry) for entry in entries])
        case Structs(shape, fields, entries):
            return Structs(shape, fields, [tuple(map(ours, entry)) for entry in entries])
        case Other(shape):
            return "complex" if shape == (2, 2) else "rows"
        case np.ndarray():
            return (value.shape, value.tolist())
    return value


def made(rng: np.random.Generator, depth: int = 0):
    """Some value, with others in it."""
    shape = tuple(rng.integers(0, 4, 2))
    match rng.integers(0, 9 if depth < 3 else 6):
        case 0:
            return rng.normal(size=(*shape, 2)[: rng.integers(2, 4)])
        case 1 | 2:
            types = (np.uint8, np.int8, np.uint16, np.int32, np.int64, np.float32, np.bool_)
            return rng.integers(0, 100, shape).astype(types[rng.integers(len(types))])
        case 3:
            return ["dog00000012", "", "名é", "a" * 300][rng.integers(4)]
        case 4:
            return np.array(["ab", "cde"]) if rng.integers(2) else np.ones((2, 2)) * 1j
        case 5:
            return 3.0
        case 6:
            fields = [(name, object) for name in ("a", "long_name_of_a_field")]
            values = np.empty(shape, fields)
            for place in np.ndindex(*shape):
                values[place] = (made(rng, depth + 1), made(rng, depth + 1))
            return values if values.size else 0.0
    cells = np.empty(shape, object)
    for place in np.ndindex(*shape):
        cells[place] = made(rng, depth + 1)
    return cells


@pytest.mark.parametrize("do_compression", [False, True])
def test_every_value_is_as_scipy_reads_it(tmp_path, do_compression):
    for seed in range(30):
        values = {"other": 1, "coor": made(np.random.default_rng(seed)), "last": "x"}
        path = tmp_path / "a.mat"
        scipy.io.savemat(path, values, do_compression=do_compression)
        assert ours(read_variable(path, "coor")) == plain(scipy.io.loadmat(path)["coor"]), seed


def test_the_other_byte_order(tmp_path):
    row = element(9, np.array([1.5, 2, 3, 4], ">f8").tobytes(), ">")
    small = struct.pack(">HH4s", 2, 2, b"\x05\x06\0\0")  # two bytes beside their size
    text = element(4, "né".encode("utf-16-be"), ">")
    matrices = [
        element(14, head(6, 1, 4, order=">") + row, ">"),
        element(14, head(6, 2, 1, order=">") + small, ">"),
        element(14, head(4, 1, 2, order=">") + text, ">"),
        element(14, b"", ">"),
    ]
    content = head(1, 2, 2, name=b"coor", order=">") + b"".join(matrices)
    file = HEADER[:124] + struct.pack(">H", 0x0100) + b"MI" + element(14, content, ">")
    (tmp_path / "a.mat").write_bytes(file)
    found = read_variable(tmp_path / "a.mat", "coor")
    row, text, column, nothing = found.entries  # column by column in the file, row by row here
    assert row.tolist() == [[1.5, 2, 3, 4]] and text == "né" and nothing.size == 0
    assert column.tolist() == [[5], [6]] and found.shape == (2, 2)


def test_depths(tmp_path):
    path = tmp_path / "a.mat"
    path.write_bytes(nested(10))
    value = read_variable(path, "coor")
    for _ in range(10):
        (value,) = value.entries
    assert value.size == 0
    for depth in (17, 500, 20_000):  # SciPy's reader: a RecursionError, a segmentation fault
        for pack in (lambda content: content, lambda content: HEADER + compressed(content[128:])):
            path.write_bytes(pack(nested(depth)))
            with pytest.raises(ValueError, match="cells and structs lie more than 16 deep in one"):
                read_variable(path, "coor")


def matrix(*parts: bytes) -> bytes:
    return element(14, b"".join(parts))


NAMES = struct.pack("<HHi", 5, 4, 8) + element(1, b"a".ljust(8, b"\0") + b"b".ljust(8, b"\0"))
BROKEN = {
    "so many cells": (matrix(head(1, 2**31 - 1, 2**31 - 1, name=b"coor")), "it breaks off"),
    "so many structs": (matrix(head(2, 2**31 - 1, 9, name=b"coor"), NAMES), "it breaks off"),
    "so many numbers": (
        matrix(head(6, 2**31 - 1, 2**31 - 1, name=b"coor"), element(9, bytes(8))),
        "cannot reshape",
    ),
    "a negative size": (matrix(head(1, -1, -1, name=b"coor")), "a matrix of the size"),
    "no size": (matrix(head(1, name=b"coor")), "a matrix of the size"),
    "beyond the end": (struct.pack("<II", 14, 2**32 - 1), "it breaks off"),
    "small and large": (struct.pack("<HH4s", 14, 9, b""), "it breaks off"),
    "text as numbers": (
        matrix(head(6, 1, 1, name=b"coor"), element(16, b"x" * 8)),
        "an element of kind 16 where numbers should be",
    ),
    "numbers as text": (
        matrix(head(4, 1, 1, name=b"coor"), element(9, bytes(8))),
        "an element of kind 9 where text should be",
    ),
    "no text": (matrix(head(4, 1, 1, name=b"coor"), element(16, b"\xff" * 8)), "'utf-8' codec"),
    "a cell that is none": (
        matrix(head(1, 1, 1, name=b"coor"), element(9, bytes(8))),
        "an element of kind 9 where a matrix should be",
    ),
    "a bomb": (compressed(bytes(1 << 27)), "what is packed in it breaks off, or is too large"),
    "bombs": (compressed(matrix(bytes(1 << 24))[:-8]) * 9, "cannot be read as a MATLAB"),
    "half packed": (element(15, zlib.compress(bytes(999))[:-9]), "breaks off, or is too large"),
    "not packed": (element(15, b"x" * 99), "while decompressing"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_ends_soon_with_a_reason(tmp_path, name):
    content, words = BROKEN[name]
    (tmp_path / "a.mat").write_bytes(HEADER + content)
    begin = time.process_time()
    with pytest.raises(ValueError, match=f"^it cannot be read as a MATLAB file: .*{words}|{words}"):
        read_variable(tmp_path / "a.mat", "coor")
    assert time.process_time() - begin < 5


def test_a_struct_without_fields_is_none_of_any_number(tmp_path):
    content = matrix(
        head(2, 2**31 - 1, 2**31 - 1, name=b"coor"), struct.pack("<HHi", 5, 4, 8), element(1, b"")
    )
    (tmp_path / "a.mat").write_bytes(HEADER + content)
    assert isinstance(read_variable(tmp_path / "a.mat", "coor"), Other)


@pytest.mark.parametrize(
    ("make", "words"),
    [(pipe, "it is a named pipe"), (sparse, r"it has 1\.0 TB"), (Path.mkdir, "it is a folder")],
)
def test_what_is_no_file_or_too_large(tmp_path, make, words):
    make(tmp_path / "a.mat")
    with pytest.raises(ValueError, match=f"^it cannot be read as a MATLAB file: {words}"):
        read_variable(tmp_path / "a.mat", "coor")


def test_bytes_of_chance_give_a_value_or_a_reason(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"coor": made(np.random.default_rng(8)), "b": 1})
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    content = whole.copy()
    monkeypatch.setattr(mat_format, "read_bytes", lambda *_: content.tobytes())
    reasons = set()
    for _ in range(800):
        content = whole.copy()
        places = rng.integers(128, len(content), rng.integers(1, 6))
        content[places] = rng.integers(0, 256, len(places))
        try:
            read_variable(path, "coor")
        except ValueError as error:
            reasons.add(str(error))
    assert len(reasons) > 10
