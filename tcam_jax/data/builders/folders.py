"""Walking a user's folders: natural order, nothing hidden, no way out of the tree."""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tcam_jax.data.builders.findings import Finding, Findings

# What systems and tools leave in any folder.
_NO_DATA = re.compile(r"\._.*|\.DS_Store|\.git.*")

# Bytes that are no UTF-8: Python turns them into surrogates, which cannot be written.
_NO_TEXT = re.compile("[\ud800-\udfff]")

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


def natural_order(path: Path) -> tuple[list[int | str], str]:
    """Sorting key by which frame2.jpg comes before frame10.jpg."""
    pieces = re.split(r"([0-9]+)", path.name)
    return [int(piece) if place % 2 else piece for place, piece in enumerate(pieces)], path.name


def entries(folder: Path, root: Path, findings: Findings) -> list[Path]:
    """What is in `folder`, in natural order.

    Noted and left out: hidden entries, links that leave `root`, names that are no text. A folder
    that cannot be read is noted and taken for empty.
    """
    found = []
    try:
        listed = sorted(folder.iterdir(), key=natural_order)
    except OSError as error:
        where = folder.relative_to(root).as_posix()
        findings.add(Finding("unreadable", where, str(error.strerror)))
        return []
    for entry in listed:
        if _NO_DATA.fullmatch(entry.name):
            continue
        fault = _fault(entry, root)
        if fault is None:
            found.append(entry)
        else:
            kind, detail = fault
            where = _printable(entry.relative_to(root).as_posix())
            findings.add(Finding(kind, where, detail))
    return found


def _fault(entry: Path, root: Path) -> tuple[str, str] | None:
    """Why an entry is left out, kind and detail; None where it is not."""
    if entry.name.startswith("."):
        return "hidden", ""
    if _NO_TEXT.search(entry.name):
        return "bad_name", ""
    if entry.is_symlink():
        # `Path.resolve` raises in Python 3.11 where links form a loop.
        target = os.path.realpath(entry)
        if not Path(target).is_relative_to(os.path.realpath(root)):
            return "outside_link", f"it leads to {_printable(target)}"
    return None


def _printable(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def fingerprint(root: Path, paths: Iterable[Path]) -> dict[str, Any]:
    """What says, without reading them, whether source files are the same as before.

    Args:
        root: the folder to which names are relative.
        paths: files, and folders with all that is in them.

    Returns:
        `files` and `bytes`; `names_and_sizes`, a digest of every file's path and size.
    """
    listed = sorted(line for path in paths for line in _sizes(path, root))
    return {
        "files": len(listed),
        "bytes": sum(size for _, size in listed),
        "names_and_sizes": hashlib.sha256(repr(listed).encode()).hexdigest()[:16],
    }


def _sizes(path: Path, root: Path) -> Iterator[tuple[bytes, int]]:
    start = len(str(root))
    if not path.is_dir():
        yield os.fsencode(str(path)[start:]), path.stat().st_size
        return
    # A folder that cannot be read is noted when it is listed.
    for folder, _, names in os.walk(path):
        for name in names:
            file = os.path.join(folder, name)
            yield os.fsencode(file[start:]), os.lstat(file).st_size


def is_image(path: Path) -> bool:
    """Whether the file's name is that of an image; what is in it is seen when it is read."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def image_files(folder: Path, root: Path, findings: Findings) -> list[Path]:
    """The frames in `folder`, in natural order; other files are noted and left out."""
    frames = []
    for entry in entries(folder, root, findings):
        if is_image(entry):
            frames.append(entry)
        else:
            findings.add(Finding("not_a_frame", entry.relative_to(root).as_posix()))
    return frames
