"""Names of results: below one folder, and one for each file, whatever the files are called."""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import PurePosixPath

from tcam_jax.runtime.errors import InputError


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
    results of a video's frames (`a/cat/000012`, `a/cat_13`) could be those of an image.

    Args:
      names: of images and videos, as of `relative_names`.
      videos: those of them that are videos.
    """
    names = list(names)
    stems = {name: os.path.splitext(name)[0] for name in names}
    count, files = Counter(map(folded, stems.values())), set(map(folded, names))
    folders = {os.path.dirname(name) for name in names}
    folders |= {str(parent) for folder in folders for parent in PurePosixPath(folder).parents}
    numbered = {re.sub(r"_\d+\Z", "", stem) for name, stem in stems.items() if name not in videos}
    of_others = set(map(folded, folders | numbered))
    return {
        name: name
        if count[folded(stem)] > 1
        or folded(stem) in files
        or (name in videos and folded(stem) in of_others)
        else stem
        for name, stem in stems.items()
    }


def folded(name: str) -> str:
    """Return what names have in common that some file system holds for one: "A" and "a", "é"."""
    return unicodedata.normalize("NFC", name).casefold()


def frame_name(record: Mapping[str, object], names: Mapping[str, str]) -> str:
    """Return what a frame is called as an image: `a/cat.jpg`, `clips/b.mp4/000012.jpg`.

    The frames of `tcam prepare` have these names too; frames of videos count from 0.
    """
    name = names[str(record["file"])]
    return name if record["time"] is None else f"{name}/{record['frame']:06d}.jpg"
