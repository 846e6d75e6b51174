"""The names by which frames meet: equal in Unicode's NFC; and what a wrong name may have meant."""

import difflib
import functools
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

from tcam_jax.data.pictures import SUFFIXES

_IMAGE_SUFFIX = re.compile(f"({'|'.join(map(re.escape, SUFFIXES))})$")
_NUMBER = re.compile("[0-9]+")
_PADDING = re.compile(r"(?<![0-9])0+(?=[0-9])")

_SEARCHES = 30  # for similar names; the hints that need none are made for all

_Tree = dict[str, Any]  # names of folders to such, names of frames to their ids


def nfc(name: str) -> str:
    """The name in the form in which names are compared: macOS writes others than keyboards do."""
    return unicodedata.normalize("NFC", name)


class FrameNames:
    """The ids of all frames that are there.

    `same`: pairs of them that are equal in NFC.
    """

    def __init__(self, frames: Iterable[str]):
        self._frames = dict.fromkeys(frames)
        self._by_nfc: dict[str, str] = {}
        self.same: list[tuple[str, str]] = []
        for frame in self._frames:
            known = self._by_nfc.setdefault(nfc(frame), frame)
            if known != frame:
                self.same.append((known, frame))
        self._searches = 0
        self._numbered: dict[int, dict[str, str]] = {}
        self._found: dict[tuple[int, str], str | None] = {}

    @property
    def classes(self) -> set[str]:
        """The first folders of all frames."""
        return {frame.partition("/")[0] for frame in self._frames}

    def find(self, name: str) -> str | None:
        """The frame of this name."""
        return name if name in self._frames else self._by_nfc.get(nfc(name))

    def ending(self, name: str) -> list[str]:
        """Frames whose path ends with the whole of this name: none, one, or two of many."""
        return self._endings.get(nfc(name), [])

    def hint(self, name: str) -> str:
        """What may have been meant by the name of no frame, for a message."""
        parts = _plain(name).split("/")
        # A number alone says little: the same one is in every folder.
        for start in range(max(1, len(parts) - 1)):
            found = self._plain_endings.get("/".join(parts[start:]))
            if found:
                return f"did you mean {' or '.join(map(repr, found))}?"
        for start in range(len(parts) - 1):
            frames = self._folders.get("/".join(parts[start:-1]))
            if frames:
                return self._in_folder(frames, parts[-1])
        near = self._near(parts) or next(iter(self._plain_endings.get(parts[-1], [])), None)
        if near:
            return f"did you mean {near!r}?"
        example = next(iter(self._frames), None)
        return f"frames are called as {example!r}" if example else "there are no frames"

    def _in_folder(self, frames: list[str], part: str) -> str:
        """The folder has frames, but none of this name."""
        folder, _, first = frames[0].rpartition("/")
        there = f"{folder} has {len(frames)} frames, {first} to {frames[-1].rpartition('/')[2]}"
        if _NUMBER.sub("#", part) == _NUMBER.sub("#", _plain(first)):
            return there  # a number that is too large
        near = self._of_number(frames, part) or self._near([*_plain(folder).split("/"), part])
        return f"did you mean {near!r}? {there}" if near else there

    def _of_number(self, frames: list[str], part: str) -> str | None:
        """The frame of a folder with the last number of this name, whatever is before it."""
        if id(frames) not in self._numbered:
            last = [(_NUMBER.findall(_plain(frame.rpartition("/")[2])), frame) for frame in frames]
            self._numbered[id(frames)] = {found[-1]: frame for found, frame in last if found}
        found = _NUMBER.findall(part)
        return self._numbered[id(frames)].get(found[-1]) if found else None

    def _near(self, parts: list[str]) -> str | None:
        """The most similar name, folder by folder."""
        node: Any = self._tree
        for part in parts:
            if isinstance(node, str):
                return None
            child = part if part in node else self._similar(node, part)
            if child is None:
                return None
            node = node[child]
        return node if isinstance(node, str) else None

    def _similar(self, node: _Tree, part: str) -> str | None:
        key = id(node), part
        if key not in self._found:
            if self._searches >= _SEARCHES:
                return None
            self._searches += 1
            similar = difflib.get_close_matches(part, node, n=1)
            self._found[key] = similar[0] if similar else None
        return self._found[key]

    @functools.cached_property
    def _endings(self) -> dict[str, list[str]]:
        return _by_ending((name, frame) for name, frame in self._by_nfc.items())

    @functools.cached_property
    def _plain_endings(self) -> dict[str, list[str]]:
        return _by_ending((_plain(frame), frame) for frame in self._frames)

    @functools.cached_property
    def _folders(self) -> dict[str, list[str]]:
        """Frames of every folder, by all ends of its plain path; [] for an end of several."""
        folders: dict[str, list[str]] = {}
        for frame in self._frames:
            folders.setdefault(frame.rpartition("/")[0], []).append(frame)
        found: dict[str, list[str]] = {}
        for folder, frames in folders.items():
            for ending in _ends(_plain(folder)):
                found[ending] = [] if ending in found else frames
        return found

    @functools.cached_property
    def _tree(self) -> _Tree:
        tree: _Tree = {}
        for frame in self._frames:
            *folders, name = _plain(frame).split("/")
            node = tree
            for folder in folders:
                below = node.setdefault(folder, {})
                if isinstance(below, str):
                    break
                node = below
            else:
                node.setdefault(name, frame)
        return tree


def _plain(name: str) -> str:
    """A name without what is easily got wrong: capitals, suffix, padding, kind of slashes."""
    parts = [part.strip() for part in nfc(name).casefold().replace("\\", "/").split("/")]
    plain = "/".join(part for part in parts if part not in ("", "."))
    return _PADDING.sub("", _IMAGE_SUFFIX.sub("", plain))


def _ends(path: str) -> Iterator[str]:
    """The path, and what remains of it without its first folder, without its first two, ..."""
    while path:
        yield path
        path = path.partition("/")[2]


def _by_ending(names: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """For every end of a name the first two frames that have it."""
    found: dict[str, list[str]] = {}
    for name, frame in names:
        for ending in _ends(name):
            frames = found.setdefault(ending, [])
            if len(frames) < 2:
                frames.append(frame)
    return found
