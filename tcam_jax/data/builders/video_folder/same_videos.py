"""Videos that are there twice: they would be in training and in test, or under two tags."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from tcam_jax.data.builders.findings import Finding, Findings
from tcam_jax.data.folder_walk import list_folder
from tcam_jax.data.pictures import is_image
from tcam_jax.runtime.plain_files import check_written, sha256_of


class Video(NamedTuple):
    """One video: a folder of shot folders, a folder of frames, or a video file."""

    class_name: str
    path: Path
    kind: Literal["shots", "frames", "file"]


def without_copies(
    classes: dict[str, list[Video]], root: Path, findings: Findings
) -> dict[str, list[Video]]:
    """Leaves out videos with the same bytes as another, be they copies or links.

    Of those of one class, one stays, rather one that no link leads to. Of those in two classes none
    does: nothing says which tag is right. Content is read only where all sizes are the same.
    """
    videos = [video for of_class in classes.values() for video in of_class]
    left_out = set()
    for same in _same(videos):
        two_classes = len({video.class_name for video in same}) > 1
        first = min(same, key=lambda video: _is_linked(video, root))
        for video in same:
            if two_classes:
                kind = "video_in_two_classes"
                other = next(v for v in same if v.class_name != video.class_name)
            elif video is first:
                continue
            else:
                kind, other = "same_video", first
            where, there = (v.path.relative_to(root).as_posix() for v in (video, other))
            findings.add(Finding(kind, where, f"{there} is the same"))
            left_out.add(video.path)
    return {
        name: [video for video in of_class if video.path not in left_out]
        for name, of_class in classes.items()
    }


def _is_linked(video: Video, root: Path) -> bool:
    """Whether a link is on the way to it."""
    there = os.path.join(os.path.realpath(root), video.path.relative_to(root))
    return os.path.realpath(video.path) != there


def _same(videos: Sequence[Video]) -> list[list[Video]]:
    """The groups of videos with the same content, by what is quickest to compare first."""
    files = {video: _files(video) for video in videos}
    groups = [[video for video in videos if files[video]]]

    def sizes(video: Video) -> Hashable:
        return tuple(file.stat().st_size for file in files[video])

    for key in (lambda video: len(files[video]), sizes):
        groups = [part for group in groups for part in _split(group, key)]
    groups = [group for group in groups if any(sizes(group[0]))]
    return [part for group in groups for part in _split(group, _content(files))]


def _split(group: Sequence[Video], key: Callable[[Video], Hashable]) -> list[list[Video]]:
    """What of `group` has the same key, where that is more than one video."""
    parts: dict[Hashable, list[Video]] = defaultdict(list)
    for video in group:
        parts[key(video)].append(video)
    return [part for part in parts.values() if len(part) > 1]


def _content(files: dict[Video, list[Path]]) -> Callable[[Video], Hashable]:
    """A digest of all bytes of a video; a place to which several links lead is read once."""
    known: dict[str, Hashable] = {}

    def digest(video: Video) -> Hashable:
        place = os.path.realpath(video.path)
        if place not in known:
            whole = hashlib.sha256()
            try:
                for file in files[video]:
                    check_written(file, 1 << 27)  # noted when it is read as a video
                    whole.update(bytes.fromhex(sha256_of(file)))
                known[place] = whole.hexdigest()
            except OSError:  # noted when it is read as a frame
                known[place] = place
        return known[place]

    return digest


def _files(video: Video) -> list[Path]:
    if video.kind == "file":
        return [video.path]
    inside, _ = list_folder(video.path)
    if video.kind == "shots":
        shots = [list_folder(shot)[0] for shot in inside if shot.is_dir()]
        inside = [file for shot in shots for file in shot]
    return [file for file in inside if is_image(file)]
