"""What may happen to bytes, to JSON and to names, as strategies of hypothesis."""

import copy
import os
from typing import Any

from hypothesis import strategies as st

_ODD = [
    *(None, True, False, 0, -1, 80, 1e9, 1e308, -0.0, 10**30, 2**63, 2**31, 10**400),
    *(float("nan"), float("inf"), "", "80", "nan", "\0", "\ud800", "\n", "=1+1", "x" * 5000),
    *("1" * 5000, [], {}, [[]], [None], {"a": 1}, [1, 2, 3, 4], ["a"], "../..", "\x1b[31m"),
]

ODD = st.sampled_from(_ODD).map(copy.deepcopy)
"""Values of JSON that are seldom what was expected."""

# `st.text` would make a table of all characters first, for seconds.
TEXT = st.lists(st.integers(0, 0x2FFF).map(chr), max_size=4).map("".join)
"""Any characters of some languages, controls among them."""

_PIECES = [
    *(
        "a",
        "b",
        "cat",
        "1",
        "10",
        "01",
        "é",
        "e\u0301",
        "İ",
        "ß",
        "²",
        "٣",
        "😀",
        "\u202e",
        "\u2028",
    ),
    *(" ", "\t", "\n", "\r", "\x1b[31m", "\x07", "\x7f", "\x85", "\ufeff", "%", "%d", "{}", "\\"),
    *(
        "=",
        "+",
        "-",
        "@",
        "|",
        "<b>",
        "&amp;",
        "'",
        '"',
        ",",
        ";",
        ":",
        "#",
        "*",
        "?",
        "~",
        "$",
        "`",
    ),
    *(".", "..", ".jpg", ".mp4", ".txt", "_", "x" * 60, "ü" * 40, "\udcff"),
]


def names(suffix: str = "", no_text: bool = False) -> st.SearchStrategy[str]:
    """Names of files or folders that Linux allows; `no_text`: also bytes that are no UTF-8."""
    pieces = st.sampled_from(_PIECES) | TEXT
    return (
        st.lists(pieces, min_size=1, max_size=6)
        .map(lambda found: "".join(found) + suffix)
        .filter(lambda name: _possible(name, no_text))
    )


def _possible(name: str, no_text: bool) -> bool:
    try:
        content = os.fsencode(name)
        if not no_text:
            name.encode()
    except UnicodeEncodeError:
        return False
    return (
        name not in ("", ".", "..") and "/" not in name and "\0" not in name and len(content) < 256
    )


@st.composite
def json_of(draw: st.DrawFn, tree: Any) -> Any:
    """A copy of `tree` that is not what it was in one to three places."""
    tree = copy.deepcopy(tree)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(tree))
        if not places:
            return draw(ODD)
        holder, key = draw(st.sampled_from(places))
        match draw(st.sampled_from(("odd", "odd", "drop", "other", "again", "deep"))):
            case "drop":
                del holder[key]
            case "other":  # what stands elsewhere
                other, place = draw(st.sampled_from(places))
                holder[key] = copy.deepcopy(other[place])
            case "again" if isinstance(holder, list):
                holder.insert(key, copy.deepcopy(holder[key]))
            case "deep":
                holder[key] = [holder[key]]
            case _:
                holder[key] = draw(ODD)
    return tree


def _places(tree: Any) -> Any:
    for key in tree if isinstance(tree, dict) else range(len(tree)):
        yield tree, key
        if isinstance(tree[key], dict | list):
            yield from _places(tree[key])


def cut(content: bytes) -> st.SearchStrategy[bytes]:
    """The beginning of `content`, more often almost all of it."""
    most = len(content) - 1
    lengths = st.integers(0, most) | st.integers(max(most - 64, 0), most)
    return lengths.map(lambda length: content[:length])


@st.composite
def bytes_of(draw: st.DrawFn, content: bytes) -> bytes:
    """`content`, damaged in one to four places."""
    found = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, max(len(found) - 1, 0)))
        stop = start + draw(st.sampled_from((1, 1, 2, 4, 16, 200)))
        match draw(st.sampled_from(("flip", "flip", "odd", "zero", "drop", "again", "cut"))):
            case "flip" if found:
                found[start] ^= 1 << draw(st.integers(0, 7))
            case "odd":
                found[start:stop] = draw(st.binary(min_size=1, max_size=8))
            case "zero":
                found[start:stop] = bytes(len(found[start:stop]))
            case "drop":
                del found[start:stop]
            case "again":
                found[start:start] = found[start:stop]
            case "cut":
                del found[start:]
    return bytes(found)
