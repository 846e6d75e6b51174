"""A user's folders as preparation sees them: what is left out goes to the findings."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tcam_jax.data.builders.findings import Finding, Findings
from tcam_jax.data.folder_walk import list_folder, printable, walk
from tcam_jax.data.pictures import is_image


def entries(folder: Path, root: Path, findings: Findings) -> list[Path]:
    """What is in `folder`, in natural order; noted and left out is what `list_folder` says."""
    found, left_out = list_folder(folder)
    for one in left_out:
        where = printable(one.path.relative_to(root).as_posix())
        findings.add(Finding(one.kind, where, one.detail))
    return found


def fingerprint(root: Path, paths: Iterable[Path]) -> dict[str, Any]:
    """What says, without reading them, whether source files are the same as before.

    Args:
        root: the folder to which names are relative.
        paths: files, and folders with all that is in them but for what `walk` leaves out.

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
    files, left_out = ([path], []) if path.is_file() else walk(path)
    for file in files:
        yield os.fsencode(str(file)[start:]), file.stat().st_size
    for one in left_out:
        # Preparation, which goes down to a known depth, may follow these.
        if one.kind == "linked_again":
            yield os.fsencode(str(one.path)[start:]), 0


def image_files(folder: Path, root: Path, findings: Findings) -> list[Path]:
    """The frames in `folder`, in natural order; other files are noted and left out."""
    frames = []
    for entry in entries(folder, root, findings):
        if is_image(entry):
            frames.append(entry)
        else:
            findings.add(Finding("not_a_frame", entry.relative_to(root).as_posix()))
    return frames
