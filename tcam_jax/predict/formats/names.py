"""Names of results: below one folder, and one for each file, whatever the files are called."""

import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from itertools import chain, count
from pathlib import Path, PurePosixPath

from tcam_jax.runtime.errors import InputError

_LONGEST = 255  # bytes that a file's name may have, nearly everywhere
_ADDED = 20  # of them for what follows: "_1000000.txt", and the mark of an unfinished file


def common_folder(files: Iterable[str]) -> str:
    """Return the deepest folder that holds all files, absolute; the disk is not looked at."""
    return os.path.commonpath({os.path.dirname(os.path.abspath(file)) for file in files})


def relative_names(files: Iterable[str], root: str) -> dict[str, str]:
    """Return the path of each file below `root`, with / between folders.

    Raises:
      InputError: a file is not below `root`.
    """
    root = os.path.abspath(root)
    names = {}
    for file in files:
        name = os.path.relpath(os.path.abspath(file), root).replace(os.sep, "/")
        if name.split("/")[0] in ("..", "."):
            raise InputError(
                f"{file} is not below {root}: give --root=FOLDER that holds all files."
            )
        names[file] = name
    return names


def output_names(names: Iterable[str], videos: Collection[str]) -> dict[str, str]:
    """Return for each relative name another one, without suffix, that no two of them share.

    `a/cat.jpg` is `a/cat`. The suffix is kept where two files differ in it alone, and where the
    results of a video's frames (`a/cat/000012`, `a/cat_13`) could be those of an image. What would
    be too long is `shortened`; names that are one for some file system are made `distinct`.

    Args:
      names: of images and videos, as of `relative_names`.
      videos: those of them that are videos.
    """
    names = list(names)
    stems = {name: os.path.splitext(name)[0] for name in names}
    times, files = Counter(map(folded, stems.values())), set(map(folded, names))
    folders = {os.path.dirname(name) for name in names}
    folders |= {str(parent) for folder in folders for parent in PurePosixPath(folder).parents}
    numbered = {re.sub(r"_\d+\Z", "", stem) for name, stem in stems.items() if name not in videos}
    of_others = set(map(folded, folders | numbered))
    chosen = {
        name: name
        if times[folded(stem)] > 1
        or folded(stem) in files
        or (name in videos and folded(stem) in of_others)
        else stem
        for name, stem in stems.items()
    }
    outputs = distinct(chosen.values())
    return {name: outputs[output] for name, output in chosen.items()}


def distinct(names: Iterable[str], others: Iterable[str] = ()) -> dict[str, str]:
    """Return for each name itself, `shortened`; with a number where another is the same, `folded`.

    Args:
      names: relative, with / between folders.
      others: which they must not be either.
    """
    taken, found = set(map(folded, others)), dict[str, str]()
    for name in sorted(set(names)):
        numbers = chain([""], (f".{n}" for n in count(2)))
        candidates = (shortened(name + number) for number in numbers)
        found[name] = next(one for one in candidates if folded(one) not in taken)
        taken.add(folded(found[name]))
    return found


def beside(names: Mapping[Path, str], made: Collection[str]) -> dict[Path, str]:
    """Return the names that results of files get where earlier ones, of other files, are `made`.

    The same, but with a number where there is one already: "a/x.jpg", "a/x.2.jpg".
    """
    before, found = set(map(folded, made)), dict(names)
    taken = before | set(map(folded, names.values()))
    for file, name in names.items():
        if folded(name) in before:
            stem, suffix = os.path.splitext(name)
            found[file] = next(
                one for n in count(2) if folded(one := f"{stem}.{n}{suffix}") not in taken
            )
            taken.add(folded(found[file]))
    return found


def shortened(name: str) -> str:
    """Return a relative name whose last part any file system takes, with a suffix and a number.

    A longer one is cut; a digest of all of it keeps it apart from others.
    """
    folder, slash, last = name.rpartition("/")
    room = _LONGEST - _ADDED
    if len(os.fsencode(last)) > room:
        digest = f"~{hashlib.sha256(os.fsencode(name)).hexdigest()[:12]}"
        while len(os.fsencode(last)) > room - len(digest):
            last = last[:-1]
        last += digest
    return f"{folder}{slash}{last}"


def folded(name: str) -> str:
    """Return what names have in common that some file system holds for one: "A" and "a.", "é"."""
    return re.sub(r"[. ]+(?=/|$)", "", unicodedata.normalize("NFC", name).casefold())


def frame_name(record: Mapping[str, object], names: Mapping[str, str]) -> str:
    """Return what a frame is called as an image: `a/cat.jpg`, `clips/b.mp4/000012.jpg`.

    The frames of `tcam prepare` have these names too; frames of videos count from 0.
    """
    name = names[str(record["file"])]
    return name if record["time"] is None else f"{name}/{record['frame']:06d}.jpg"
