"""Numbers of things in words, and the first of many."""

from collections.abc import Sequence


def counted(number: int, what: str) -> str:
    """Return "1 file", "2 files": the number with its noun."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def few(things: Sequence[object], most: int = 5) -> str:
    """Return "a, b, …": the first of things, no more than `most`."""
    return ", ".join(map(str, things[:most])) + (", …" if things[most:] else "")


def in_bytes(number: int) -> str:
    """Return "512 bytes", "1.5 MB", "1.0 TB"."""
    size, units = float(number), ["TB", "GB", "MB", "KB"]
    unit = "bytes"
    while size >= 999.95 and units:
        size, unit = size / 1000, units.pop()
    return f"{number} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
