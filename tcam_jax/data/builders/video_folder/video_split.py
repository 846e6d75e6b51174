"""Which frames of a user's videos go to train, validation and test: by whole videos or by time."""

import logging
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from tcam_jax.runtime.errors import InputError

SplitBy = Literal["video", "time"]

SPLIT_NAMES = ("train", "validation", "test")

_logger = logging.getLogger(__name__)


class ShotFiles(NamedTuple):
    """One shot, or a contiguous piece of one: its video, its name and its frame files in order.

    `prefix`: what comes before the file's name in the frame's id.
    """

    video: str
    shot: str
    prefix: str
    files: Sequence[Path]


def check_way(split_by: str, fractions: Sequence[float | int]) -> None:
    """Raises InputError for an unknown way of splitting or unusable fractions."""
    if split_by not in get_args(SplitBy):
        raise InputError(f"expected split_by to be one of {get_args(SplitBy)}, got {split_by!r}")
    if (
        len(fractions) != len(SPLIT_NAMES)
        or not all(fraction >= 0 for fraction in fractions)
        or fractions[0] == 0
        or abs(sum(fractions) - 1) > 1e-6
    ):
        raise InputError(
            "expected three fractions (train, validation, test) >= 0 that sum to 1, with train "
            f"> 0, got {tuple(fractions)}"
        )


def split_classes(
    classes: dict[str, list[ShotFiles]], split_by: str, fractions: Sequence[float | int]
) -> dict[str, dict[str, list[ShotFiles]]]:
    """Splits every class on its own, the same way every time.

    Args:
        classes: the shots of every class.
        split_by: "video" or "time". A class with fewer videos than there are splits can only be
            split by time; this is logged.
        fractions: of train, validation and test; a split of fraction 0 is left out.

    Returns:
        {split: {class: shots}}, splits and classes in order.

    Raises:
        InputError: a class whose frames do not reach all splits.
    """
    used = [(name, part) for name, part in zip(SPLIT_NAMES, fractions, strict=True) if part > 0]
    shares = [part for _, part in used]
    splits: dict[str, dict[str, list[ShotFiles]]] = {name: {} for name, _ in used}
    by_time: list[str] = []
    short: list[str] = []
    for class_name, shots in classes.items():
        num_videos = len({shot.video for shot in shots})
        by_video = split_by == "video" and num_videos >= len(used)
        if split_by == "video" and not by_video:
            by_time.append(f"{class_name!r} ({num_videos})")
        parts = _by_video(class_name, shots, shares) if by_video else _by_time(shots, shares)
        for split, part in zip(splits, parts, strict=True):
            splits[split][class_name] = part
        short += [class_name] if not all(parts) else []
    if by_time:
        _logger.warning(
            "%d of %d classes have too few videos to give %s a video each: %s. They are split by "
            "time instead (each shot is cut into contiguous pieces), so the same scenes are in "
            "every split and their scores will be too good",
            len(by_time),
            len(classes),
            ", ".join(splits),
            ", ".join(by_time),
        )
    if short:
        lacking = next(name for name in splits if not splits[name][short[0]])
        raise InputError(
            f"class {', '.join(map(repr, short))} has no frame for split {lacking!r}: none of its "
            f"shots has {len(used)} frames to cut; add frames or videos"
        )
    return splits


def _by_video(
    class_name: str, shots: Sequence[ShotFiles], shares: Sequence[float]
) -> list[list[ShotFiles]]:
    videos = sorted({shot.video for shot in shots})
    # Seeded by the class: a class keeps its split when other classes come or go.
    random.Random(class_name).shuffle(videos)
    parts = []
    for count in allot(len(videos), shares):
        chosen, videos = set(videos[:count]), videos[count:]
        parts.append([shot for shot in shots if shot.video in chosen])
    return parts


def _by_time(shots: Sequence[ShotFiles], shares: Sequence[float]) -> list[list[ShotFiles]]:
    parts: list[list[ShotFiles]] = [[] for _ in shares]
    for shot in shots:
        # A shot too short to cut stays whole, in train.
        num_frames = len(shot.files)
        counts = allot(num_frames, shares) if num_frames >= len(shares) else [num_frames]
        begin = 0
        for part, count in zip(parts, counts, strict=False):
            part.append(shot._replace(files=shot.files[begin : begin + count]))
            begin += count
    return parts


def allot(total: int, shares: Sequence[float]) -> list[int]:
    """Whole numbers in proportion to `shares` that sum to `total`, each at least 1."""
    counts = [1] * len(shares)
    while sum(counts) < total:
        missing = [share * total - count for share, count in zip(shares, counts, strict=True)]
        counts[missing.index(max(missing))] += 1
    return counts
