"""Files of JSON that somebody else may have written, cut short or changed: checked when read.

What is read is a regular file of a bounded size, UTF-8 (or what its byte order mark says), no name
twice in an object, not nested deep, and of the declared shape (`runtime.shapes`). Anything else is
one InputError: the file, what was expected, what is there, what to do.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tcam_jax.runtime.counted import in_bytes
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.plain_files import check_plain, read_bytes
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
    try:
        return read_bytes(path, largest)
    except OSError as error:
        raise _cannot_read(path, error, advice) from error


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
    try:
        check_plain(path)
        with path.open("rb") as file:
            while line := file.readline(LONGEST_LINE):
                if len(line) == LONGEST_LINE:
                    raise damaged(path, f"a line has more than {in_bytes(LONGEST_LINE)}", advice)
                yield line
    except OSError as error:
        raise _cannot_read(path, error, advice) from error


def readable_lines(path: Path, advice: str) -> Iterator[tuple[bytes, Any]]:
    """Yield each line of a file that a kill may have cut short, and its value of JSON.

    The value of a damaged line is None. A last line without an end is left out.

    Raises:
      InputError: see `bounded_lines`.
    """
    for line in bounded_lines(path, advice):
        if not line.endswith(b"\n"):
            return
        try:
            value = parse(line.decode())
        except ValueError:
            value = None
        yield line, value


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


def _cannot_read(path: Path, error: OSError, advice: str) -> InputError:
    return InputError(f"{path} cannot be read ({error.strerror}). {advice}")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"it has {shown(twice)} twice in an object")
    return found


def _is_deep(value: Any) -> bool:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(_DEEPEST):
        inner = (x.values() if isinstance(x, dict) else x for x in level)
        level = [x for values in inner for x in values if isinstance(x, dict | list)]
        if not level:
            return False
    return True
