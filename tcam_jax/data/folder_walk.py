"""What lies in a user's folders, for preparation and prediction alike: one order, one rule.

Hidden entries and what systems and tools leave anywhere are left out. Links are followed, wherever
they lead; a place is visited once. All that is left out is named, with its reason.
"""

import os
import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tcam_jax.runtime.plain_files import other_kind
from tcam_jax.runtime.terminal import one_line

_NAMED = 3  # places that a summary names for each reason

# Of NAS systems, Windows, macOS, Linux, version control and viewers; in any capitals.
_SYSTEM = re.compile(
    r"@eaDir|@Recycle|@Recently-Snapshot|@__thumb|@tmp|#recycle|#snapshot|\$RECYCLE\.BIN|"
    r"System Volume Information|Thumbs\.db(:encryptable)?|ehthumbs(_vista)?\.db|desktop\.ini|"
    r"__MACOSX|Network Trash Folder|Temporary Items|Icon\r|\._.*|\.DS_Store|\.localized|\.apdisk|"
    r"\.AppleDouble|\.AppleDB|\.AppleDesktop|\.Spotlight-V100|\.fseventsd|\.TemporaryItems|"
    r"\.DocumentRevisions-V100|\.VolumeIcon\.icns|lost\+found|\.Trash(es|-\d+)?|\.directory|"
    r"\.thumbnails|\.nomedia|\.?Picasa\.ini|\.picasaoriginals|\.stfolder|\.stversions|"
    r"\.dropbox(\.cache|\.attr)?|\.git.*|\.svn|\.hg|\.idea|\.vscode|__pycache__|"
    r"\.ipynb_checkpoints|\.nfs[0-9a-f]+|\.fuse_hidden.*",
    re.IGNORECASE,
)

# Bytes that are no UTF-8: Python turns them into surrogates, which cannot be written.
_NO_TEXT = re.compile("[\ud800-\udfff]")

REASONS = {
    "other_kind": "neither images nor videos",
    "hidden": "hidden",
    "system": "of systems and tools",
    "bad_name": "whose names are no UTF-8 text",
    "dead_link": "links that lead nowhere",
    "special": "pipes, sockets and devices",
    "link_loop": "links to a folder that they lie in",
    "linked_again": "links to what is there already",
    "unreadable": "that cannot be read",
}


class LeftOut(NamedTuple):
    """An entry that is left out: where, a key of `REASONS`, and what more there is to say."""

    path: Path
    kind: str
    detail: str = ""


def natural_order(path: Path) -> tuple[list[int | str], str]:
    """Sorting key by which frame2.jpg comes before frame10.jpg."""
    return _natural(path.name)


def _natural(name: str) -> tuple[list[int | str], str]:
    pieces = re.split(r"([0-9]+)", name)
    return [int(piece) if place % 2 else piece for place, piece in enumerate(pieces)], name


def path_order(path: Path) -> list[tuple[list[int | str], str]]:
    """Sorting key by the natural order of every folder on the way."""
    return [_natural(part) for part in path.parts]


def kind_of_name(name: str) -> str | None:
    """Why an entry of this name is left out, a key of `REASONS`; None where it is not."""
    if _SYSTEM.fullmatch(name):
        return "system"
    if name.startswith("."):
        return "hidden"
    return "bad_name" if _NO_TEXT.search(name) else None


def list_folder(folder: Path) -> tuple[list[Path], list[LeftOut]]:
    """What is in `folder`, in natural order, and what of it is left out.

    A folder that cannot be read is left out itself.
    """
    found, left_out = _scan(folder)
    return [Path(entry.path) for entry in found], left_out


def walk(root: Path) -> tuple[list[Path], list[LeftOut]]:
    """All files at any depth below `root`, in natural order, and what was left out.

    What is reached without links comes first to be visited; a link to a place that was is left out.
    """
    files: list[Path] = []
    left_out: list[LeftOut] = []
    folders: set[str] = set()  # where those that were visited really are
    linked: set[str] = set()  # the same of files to which links led
    waiting, links = [_Place(str(root), os.path.realpath(root), True)], deque[_Place]()
    followed = False
    while waiting or links:
        is_link = not waiting
        followed |= is_link
        path, real, is_folder = links.popleft() if is_link else waiting.pop()
        if real in folders or real in linked or (is_link and _is_listed(real, folders)):
            left_out.append(LeftOut(Path(path), "linked_again", f"to {printable(real)}"))
        elif is_folder:
            folders.add(real)
            found, of_folder = _scan(Path(path))
            left_out += of_folder
            waiting += [
                _Place(entry.path, os.path.join(real, entry.name), entry.is_dir())
                for entry in reversed(found)
                if not entry.is_symlink()
            ]
            links += [
                _Place(entry.path, os.path.realpath(entry.path), entry.is_dir())
                for entry in found
                if entry.is_symlink()
            ]
        else:
            files.append(Path(path))
            if is_link:
                linked.add(real)
    if followed:
        files.sort(key=path_order)
    return files, left_out


class _Place(NamedTuple):
    path: str
    real: str
    is_folder: bool


def _is_listed(real: str, folders: set[str]) -> bool:
    """Whether a file was found in its own folder."""
    folder, name = os.path.split(real)
    return folder in folders and kind_of_name(name) is None


def _scan(folder: Path) -> tuple[list[os.DirEntry[str]], list[LeftOut]]:
    found, left_out = [], []
    try:
        with os.scandir(folder) as listed:
            entries = sorted(listed, key=lambda entry: _natural(entry.name))
    except OSError as error:
        return [], [LeftOut(folder, "unreadable", str(error.strerror))]
    here = ""
    for entry in entries:
        kind, detail = kind_of_name(entry.name), ""
        if kind is None and entry.is_symlink():
            here = here or os.path.realpath(folder)
            # `Path.resolve` raises in Python 3.11 where links form a loop.
            target = os.path.realpath(entry.path)
            detail = f"to {printable(target)}"
            if not os.path.exists(entry.path):
                kind = "dead_link"
            elif entry.is_dir() and Path(here).is_relative_to(target):
                kind = "link_loop"
        if kind is None and not entry.is_file() and not entry.is_dir():
            kind, detail = "special", other_kind(Path(entry.path)) or ""
        if kind is None:
            found.append(entry)
        else:
            left_out.append(LeftOut(Path(entry.path), kind, detail))
    return found, left_out


def printable(path: str | Path) -> str:
    """A path that can be written, whatever bytes its name has."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def in_words(left_out: Iterable[LeftOut], root: Path) -> str:
    """What was left out below `root` in one line: how much for each reason, by suffix or by name.

    Returns:
      Such as "left out: neither images nor videos: 3 (.txt 2, .pdf 1); hidden: 1 (.old)"; "" for
      nothing.
    """
    of_kind: dict[str, list[LeftOut]] = defaultdict(list)
    for one in left_out:
        of_kind[one.kind].append(one)
    parts = [
        f"{reason}: {len(of_kind[kind])} ({one_line(_examples(kind, of_kind[kind], root))})"
        for kind, reason in REASONS.items()
        if of_kind[kind]
    ]
    return f"left out: {'; '.join(parts)}" if parts else ""


def _examples(kind: str, left_out: list[LeftOut], root: Path) -> str:
    if kind == "other_kind":
        return by_suffix(one.path for one in left_out)
    names = [
        printable(one.path.relative_to(root)) + (f": {one.detail}" if one.detail else "")
        for one in left_out[:_NAMED]
    ]
    return ", ".join([*names, *(["…"] if len(left_out) > _NAMED else [])])


def by_suffix(paths: Iterable[Path]) -> str:
    """How many files have which suffix, the most frequent first: ".txt 2, .pdf 1"."""
    counts = Counter(printable(path.suffix.lower()) or "no suffix" for path in paths)
    return ", ".join(f"{suffix} {count}" for suffix, count in counts.most_common())
