"""Rows of CSV that spreadsheets take for text and numbers, never for formulas."""

import csv
import re
from collections.abc import Callable, Iterable
from typing import Protocol, runtime_checkable

# Where a cell may begin for a spreadsheet: at its start, or, as in half the world's settings, after
# a semicolon. The last four are the wide forms of the first.
_FORMULA = re.compile(r"((?:^|[;\t\r\n])\s*)(?='*[=+\-@\uff1d\uff0b\uff0d\uff20])")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


@runtime_checkable
class Writable(Protocol):
    """A text file, or what takes its place."""

    def write(self, text: str, /) -> object:
        """Take text."""


def row_writer(file: Writable, line_end: str = "\n") -> Callable[[Iterable[object]], object]:
    r"""Return a function that writes a row of RFC 4180's CSV.

    Numbers are numbers, None is empty. Text with `=`, `+`, `-` or `@` where a spreadsheet would see
    a formula has `'` before it there, as spreadsheets write what is text; text that is a number
    ("-1.5") has not. `re.sub(r"((?:^|[;\t\r\n])\s*)'(?='*[=+\-@])", r"\1", text)` takes it away.

    Args:
      file: opened with newline="".
      line_end: of each row.
    """
    # A lone "\r" is quoted where it is a part of the end of lines alone.
    write = csv.writer(_Ending(file, line_end), lineterminator="\r\n").writerow
    return lambda values: write(map(_cell, values))


class _Ending:
    """Takes rows that end in "\r\n", and passes them on with another end."""

    def __init__(self, file: Writable, line_end: str):
        self._file, self._line_end = file, line_end

    def write(self, text: str) -> object:
        return self._file.write(text.removesuffix("\r\n") + self._line_end)


def _cell(value: object) -> object:
    if not isinstance(value, str) or _NUMBER.fullmatch(value):
        return value
    return _FORMULA.sub(r"\1'", value)
