"""Folders that are whole or not there, and that show when a bit of them has changed.

Every file's size and digest are listed in `digests.json`, written last; the folder gets its name by
one rename. Orbax itself notices neither a flipped bit nor, always, a file cut short.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tcam_jax.runtime.files import temporary_name, write_whole
from tcam_jax.runtime.json_files import read_json

DIGESTS = "digests.json"
_UNFINISHED = ".unfinished"  # ends the name of a folder that is being written or deleted


def write_folder(target: Path, fill: Callable[[Path], None], unlisted: str) -> None:
    """Make `target` with the files that `fill` writes into the folder it is given.

    Its parent exists. What is there under that name already is deleted just before the new one
    takes its place. Any failure before that leaves it as it was, and nothing of the new one. The
    file named `unlisted` may change later: it has no digest.
    """
    unfinished = target.with_name(f".{target.name}{_UNFINISHED}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    try:
        fill(unfinished)
        digests = {name: _digest(unfinished / name) for name in _names(unfinished, unlisted)}
        (unfinished / DIGESTS).write_text(json.dumps(digests, indent=1, sort_keys=True) + "\n")
        for path in (*unfinished.rglob("*"), unfinished):
            _sync(path)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    if target.exists():
        delete_folder(target)
    unfinished.rename(target)
    _sync(target.parent)


def delete_folder(folder: Path) -> None:
    """Delete `folder`, or the link to one; a kill in between leaves none of that name."""
    going = folder.with_name(f".{folder.name}-deleted{_UNFINISHED}")
    folder.rename(going)
    if going.is_dir() and not going.is_symlink():
        shutil.rmtree(going)
    else:
        going.unlink()


def remove_unfinished(directory: Path) -> list[str]:
    """Delete what kills left half-written, or half-deleted, in `directory`; return the names."""
    found = [path for path in directory.glob(f".*{_UNFINISHED}") if path.is_dir()]
    for path in found:
        shutil.rmtree(path, ignore_errors=True)
    return [path.name for path in found]


def fault(folder: Path, unlisted: str) -> str | None:
    """Read a folder of `write_folder` in full; return what is wrong with it, or None."""
    if not (folder / DIGESTS).exists():
        return f"{DIGESTS} is missing"
    try:
        listed = read_json(folder / DIGESTS, dict[str, str], "")
        present = _names(folder, unlisted)
        for name in sorted(listed.keys() | present):
            if name not in present:
                return f"{name} is missing"
            if name not in listed:
                return f"{name} does not belong there"
            if _has_changed(folder / name, listed[name]):
                return f"{name} has changed since it was written"
    except (OSError, ValueError) as error:
        return f"it cannot be read: {error}".strip()
    return None


def set_aside(folder: Path) -> Path:
    """Rename a damaged folder so that nothing takes it for a sound one; return the new name."""
    aside = folder.with_name(f"{folder.name}.damaged")
    number = 1
    while aside.exists():
        number += 1
        aside = folder.with_name(f"{folder.name}.damaged-{number}")
    return folder.rename(aside)


def write_record(path: Path, content: dict[str, Any]) -> None:
    """Write a small JSON record with its digest, whole or not at all."""
    write_whole(path, json.dumps({"digest": _digest_of(content), **content}, indent=1) + "\n")


def read_record(path: Path) -> dict[str, Any]:
    """Read what `write_record` wrote.

    Raises:
      OSError, ValueError: it is not there, or not as it was written.
    """
    path.stat()  # one that is not there is no damaged one
    content = read_json(path, dict[str, Any], "")
    if content.pop("digest", None) != _digest_of(content):
        raise ValueError(f"{path.name} has changed since it was written")
    return content


def _names(folder: Path, unlisted: str) -> set[str]:
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    # A kill may have left the latter half-written.
    return files - {DIGESTS, unlisted, temporary_name(Path(unlisted)).name}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return f"{path.stat().st_size} {hashlib.file_digest(file, 'blake2b').hexdigest()[:32]}"


def _has_changed(path: Path, listed: str) -> bool:
    # The size first: what took the file's place may be too large to read.
    return not listed.startswith(f"{path.stat().st_size} ") or _digest(path) != listed


def _digest_of(content: dict[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
