"""Walking a user's folders: natural order, nothing hidden, no way out of the tree."""

import re
from pathlib import Path

from tcam_jax.data.builders.findings import Finding, Findings

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


def natural_order(path: Path) -> tuple[list[int | str], str]:
    """Sorting key by which frame2.jpg comes before frame10.jpg."""
    pieces = re.split(r"([0-9]+)", path.name)
    return [int(piece) if place % 2 else piece for place, piece in enumerate(pieces)], path.name


def entries(folder: Path, root: Path, findings: Findings) -> list[Path]:
    """What is in `folder`, in natural order, without hidden files and links that leave `root`.

    A folder that cannot be read is noted and taken for empty.
    """
    found = []
    try:
        listed = sorted(folder.iterdir(), key=natural_order)
    except OSError as error:
        where = folder.relative_to(root).as_posix()
        findings.add(Finding("unreadable", where, str(error.strerror)))
        return []
    for entry in listed:
        if entry.name.startswith("."):
            continue
        if entry.is_symlink() and not entry.resolve().is_relative_to(root.resolve()):
            where = entry.relative_to(root).as_posix()
            findings.add(Finding("outside_link", where, f"it leads to {entry.resolve()}"))
            continue
        found.append(entry)
    return found


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
