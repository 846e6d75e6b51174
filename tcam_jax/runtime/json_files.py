"""Files of JSON that somebody else may have written, cut short or changed: checked when read.

What is read is a regular file of a bounded size, UTF-8 (or what its byte order mark says), no name
twice in an object, not nested deep, and of the declared shape (`runtime.shapes`). Anything else is
one InputError: the file, what was expected, what is there, what to do.
"""

import json
import os
import stat
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.shapes import fitted, shown

# Bytes. What Python makes of hostile JSON takes up to 25 times as much.
LARGEST_FILE = 32 << 20
LONGEST_LINE = 16 << 20
_DEEPEST = 64  # lists and objects in one another; ours have at most 8


def read_json(path: Path, shape: Any, advice: str, largest: int = LARGEST_FILE) -> Any:
    """Return the content of a small file of JSON, in its shape.

    Args:
      path: of the file.
      shape: see `runtime.shapes`.
      advice: what to do where it is damaged; a sentence.
      largest: bytes that it may have.

    Raises:
      InputError: it cannot be read, is damaged, or not of that shape.
    """
    content = read_small(path, advice, largest)
    try:
        value = parse(content)
        if _is_deep(value):
            raise ValueError("it is nested too deep")
        return fitted(value, shape)
    except ValueError as error:
        raise damaged(path, str(error), advice) from error


def read_small(path: Path, advice: str, largest: int = LARGEST_FILE) -> bytes:
    """Return the content of a small file.

    Raises:
      InputError: it cannot be read, or is no regular file, or larger than that.
    """
    with opened(path, advice) as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise damaged(path, f"it has more than {largest} bytes", advice)
    return content


def read_json_lines(path: Path, shape: Any, advice: str) -> list[Any]:
    """Return the values of a file with one of JSON in each line.

    Raises:
      InputError: it cannot be read, or a line is damaged, not of that shape, or without its end.
    """
    found = []
    for number, line in enumerate(bounded_lines(path, advice), 1):
        try:
            if not line.endswith(b"\n"):
                raise ValueError("it has no end")
            found.append(fitted(parse(line.decode()), shape))
        except ValueError as error:
            raise damaged(path, f"line {number}: {error}", advice) from error
    return found


def bounded_lines(path: Path, advice: str) -> Iterator[bytes]:
    """Yield the lines of a file, with their ends.

    Raises:
      InputError: it cannot be read, is no regular file, or has a line too long for one of ours.
    """
    with opened(path, advice) as file:
        while line := file.readline(LONGEST_LINE):
            if len(line) == LONGEST_LINE:
                raise damaged(path, f"a line has more than {LONGEST_LINE} bytes", advice)
            yield line


@contextmanager
def opened(path: Path, advice: str) -> Iterator[BinaryIO]:
    """Open a regular file for reading; others might never come to an end.

    Raises:
      InputError: it is none, or it cannot be read, also inside of the block.
    """
    try:
        with open(path, "rb", opener=_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise InputError(f"{path} must be a file, and is none. {advice}")
            yield file
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}). {advice}") from error


def parse(content: bytes | str) -> Any:
    """Return the value of JSON; bytes are UTF-8, or what their first ones say.

    Raises:
      ValueError: it is none, or an object has a name twice.
    """
    text = content.lstrip("\0 \t\r\n") if isinstance(content, str) else content.lstrip(b"\0 \t\r\n")
    if not text:  # after a power cut zeros may stand in the place of what was written
        raise ValueError("it is empty")
    try:
        return json.loads(content, object_pairs_hook=_each_once)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def damaged(path: Path, problem: str, advice: str) -> InputError:
    """Return the one error for a file that is not as it was written."""
    return InputError(f"{path} is damaged: {problem}. {advice}")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"it has {shown(twice)} twice in an object")
    return found


def _at_once(path: str, flags: int) -> int:
    # A pipe that nobody writes to would be waited for.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _is_deep(value: Any) -> bool:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(_DEEPEST):
        inner = (x.values() if isinstance(x, dict) else x for x in level)
        level = [x for values in inner for x in values if isinstance(x, dict | list)]
        if not level:
            return False
    return True
