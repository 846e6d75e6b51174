"""The images and videos that a path leads to: a file, a folder, or a glob."""

import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from glob import glob, has_magic
from pathlib import Path

from tcam_jax.data.folder_walk import LeftOut, kind_of_name, path_order, walk
from tcam_jax.predict.frame_source import SUFFIXES, Found, find_files, has_known_suffix
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.plain_files import other_kind


def find_named(path: str) -> Found:
    """Return the images and videos that a path leads to: a file, a folder, or a glob.

    Raises:
      InputError: there is none.
    """
    if os.path.exists(path):
        return find_files(Path(path))
    if not has_magic(path):
        raise InputError(
            f"{path!r} does not exist; expected an image, a video, a folder that holds some, a "
            "glob that matches some, or camera:0."
        )
    matches = [
        match
        for match in _matches(Path(path))
        if not match.is_dir() and _is_meant(match, Path(path))
    ]
    files = [match for match in matches if match.is_file()]
    if not any(map(has_known_suffix, files)):
        raise InputError(
            f"the glob {path!r} must match images or videos ({' '.join(SUFFIXES)}); it does not."
        )
    files.sort(key=path_order)
    left_out = [LeftOut(file, "other_kind") for file in files if not has_known_suffix(file)]
    for match in matches:
        if not match.is_file():
            kind = other_kind(match)
            left_out.append(LeftOut(match, "special" if kind else "dead_link", kind or ""))
    return Found([file for file in files if has_known_suffix(file)], left_out)


def _matches(pattern: Path) -> list[Path]:
    """What a glob finds. Below `**` by our own walk: `glob` would go round loops of links."""
    if "**" not in pattern.parts:
        return list(map(Path, glob(str(pattern))))
    place, found = pattern.parts.index("**"), []
    before, behind = pattern.parts[:place], pattern.parts[place:]
    for base in map(Path, glob(str(Path(*before)))):
        files, left_out = walk(base) if base.is_dir() else ([], [])
        files += [one.path for one in left_out if one.kind in ("special", "dead_link")]
        found += [file for file in files if _fits(file.relative_to(base).parts, behind)]
    return found


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_fits(parts[place:], pattern[1:]) for place in range(len(parts) + 1))
    here = bool(parts) and fnmatchcase(parts[0], pattern[0])
    return here and _fits(parts[1:], pattern[1:])


def _is_meant(match: Path, pattern: Path) -> bool:
    """Whether no part of the path that the glob found, rather than named, is left out in walks."""
    named = next(i for i, part in enumerate(pattern.parts) if has_magic(part))
    return not any(map(kind_of_name, match.parts[named:]))
