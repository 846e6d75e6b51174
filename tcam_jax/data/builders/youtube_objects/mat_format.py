"""MATLAB's file format, level 5 (-v6 and -v7), as far as the files of YouTube-Objects need it.

Source: The MathWorks, "MAT-File Format". Files come from elsewhere, so nesting, sizes and counts
are checked before they are followed: general readers go down as far as a file says, also beyond
the end of the stack.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from tcam_jax.runtime.plain_files import read_bytes

_MOST_BYTES = 1 << 26  # of a file, and of what is packed in it; the published ones have some KB
_DEEPEST = 16  # cells in cells; the published ones have two

_HEADER = 128
_ORDERS = {b"IM": "<", b"MI": ">"}  # what a machine of that byte order writes for "MI"

# Kinds of elements.
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8"}
_NUMBERS |= {12: "i8", 13: "u8"}
_MATRIX, _COMPRESSED = 14, 15
_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}

# Classes of matrices.
_CELL, _STRUCT, _CHAR, _OPAQUE = 1, 2, 4, 17
_NUMERIC = range(6, 16)
_COMPLEX = 0x0800


class Cells(NamedTuple):
    """A cell array; `entries` row by row."""

    shape: tuple[int, ...]
    entries: "list[Value]"


class Structs(NamedTuple):
    """A struct array: the fields' names, and of each struct, row by row, their values."""

    shape: tuple[int, ...]
    fields: tuple[str, ...]
    entries: "list[tuple[Value, ...]]"


class Other(NamedTuple):
    """What is never wanted: complex or sparse numbers, text of several rows, objects, functions."""

    shape: tuple[int, ...]


Value = np.ndarray | str | Cells | Structs | Other
"""Numbers (real ones, of the type in which they are stored), text of one row, or what holds them"""


_Entry = TypeVar("_Entry")


def read_variable(path: Path, name: str) -> Value:
    """The variable `name` of a file.

    Raises:
        ValueError: the file cannot be read, or has no such variable; the message has no path.
    """
    try:
        content = read_bytes(path, _MOST_BYTES)
    except OSError as error:
        raise _unreadable(error.strerror or str(error)) from error
    order = _ORDERS.get(content[_HEADER - 2 : _HEADER])
    if order is None:
        raise _unreadable("its beginning is not that of one of version 5 or later")
    if struct.unpack_from(f"{order}H", content, _HEADER - 4)[0] == 0x0200:
        raise ValueError("it is a MATLAB 7.3 (HDF5) file, not the published one; save it with -v7")
    try:
        variables = dict(_variables(memoryview(content)[_HEADER:], order))
        if name in variables:
            return _Matrix(variables[name], order).value(0)
    # Whatever is wrong with bytes that are none of its own.
    except (ValueError, LookupError, struct.error, zlib.error) as error:
        raise _unreadable(str(error)) from error
    found = ", ".join(filter(None, variables)) or "nothing"
    raise ValueError(f"it has no variable {name!r}, but {found}")


def _unreadable(reason: str) -> ValueError:
    return ValueError(f"it cannot be read as a MATLAB file: {reason.splitlines()[0]}")


def _variables(content: memoryview, order: str) -> Iterator[tuple[str, memoryview]]:
    """The names of all variables, and the bytes of their matrices."""
    place, left = 0, _MOST_BYTES
    while place < len(content):
        kind, data, place = _element(content, place, order)
        if kind == _COMPRESSED:
            inflater = zlib.decompressobj()
            unpacked = inflater.decompress(data, left)
            if not inflater.eof:
                raise ValueError("what is packed in it breaks off, or is too large")
            left -= len(unpacked) - 1  # never 0, which would mean all
            kind, data, _ = _element(memoryview(unpacked), 0, order)
        if kind == _MATRIX and data:
            yield _Matrix(data, order).name, data


def _element(content: memoryview, place: int, order: str) -> tuple[int, memoryview, int]:
    """The kind and the data of the element at `place`, and where the next one begins."""
    kind, size = struct.unpack_from(f"{order}II", content, place)
    begin = place + 8
    if kind >> 16:  # so small that its data are in the place of the size
        kind, size, begin = kind & 0xFFFF, kind >> 16, place + 4
    end = begin + size
    if end > len(content) or (begin < place + 8 and size > 4):
        raise ValueError("it breaks off")
    following = end if kind == _COMPRESSED else end + (place - end) % 8
    return kind, content[begin:end], following


class _Matrix:
    """One matrix: a head, and what follows by its class."""

    def __init__(self, content: memoryview, order: str):
        self._content, self._order, self._place = content, order, 0
        self._flags = int(self._numbers()[0])
        self._class = self._flags & 0xFF
        self.shape: tuple[int, ...] = ()
        if self._class != _OPAQUE:  # one of those has no size
            self.shape = tuple(self._numbers().tolist())
            if len(self.shape) < 2 or min(self.shape) < 0:
                raise ValueError(f"a matrix of the size {self.shape}")
        self.name = self._text()

    def value(self, depth: int) -> Value:
        """What is in it, which is in `depth` others."""
        count = math.prod(self.shape)
        if self._class in _NUMERIC and not self._flags & _COMPLEX:
            return self._numbers().reshape(self.shape, order="F")
        if self._class == _CHAR and (self.shape[0] == 1 or not count):
            return self._text()
        if self._class == _CELL:
            return Cells(self.shape, self._row_by_row(self._matrices(count, depth)))
        if self._class == _STRUCT:
            (length,) = self._numbers().tolist()
            names = bytes(self._next()[1])
            starts = range(0, len(names), length)
            fields = tuple(names[i : i + length].split(b"\0")[0].decode() for i in starts)
            values = self._matrices(count * len(fields), depth)
            if fields:
                entries = [tuple(some) for some in zip(*[iter(values)] * len(fields), strict=True)]
                return Structs(self.shape, fields, self._row_by_row(entries))
        return Other(self.shape)

    def _matrices(self, count: int, depth: int) -> list[Value]:
        if depth == _DEEPEST:
            raise ValueError(f"cells and structs lie more than {_DEEPEST} deep in one another")
        if 8 * count > len(self._content) - self._place:  # bytes of so many empty ones
            raise ValueError("it breaks off")
        values: list[Value] = []
        for _ in range(count):
            kind, data = self._next()
            if kind != _MATRIX:
                raise ValueError(f"an element of kind {kind} where a matrix should be")
            empty = np.empty((0, 0))
            values.append(_Matrix(data, self._order).value(depth + 1) if data else empty)
        return values

    def _row_by_row(self, entries: list[_Entry]) -> list[_Entry]:
        places = np.arange(len(entries)).reshape(self.shape, order="F").ravel().tolist()
        return [entries[place] for place in places]

    def _next(self) -> tuple[int, memoryview]:
        kind, data, self._place = _element(self._content, self._place, self._order)
        return kind, data

    def _numbers(self) -> np.ndarray:
        kind, data = self._next()
        if kind not in _NUMBERS:
            raise ValueError(f"an element of kind {kind} where numbers should be")
        return np.frombuffer(data, self._order + _NUMBERS[kind])

    def _text(self) -> str:
        kind, data = self._next()
        if kind not in _TEXTS:
            raise ValueError(f"an element of kind {kind} where text should be")
        wide = kind in (4, 17, 18)
        ending = {"<": "-le", ">": "-be"}[self._order] if wide else ""
        return str(data, _TEXTS[kind] + ending)
