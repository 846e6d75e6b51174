"""What a dataset's raw files are turned into before anything is read: shots of frames to read."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class SplitSize(NamedTuple):
    """How much of a generated split: videos of each class, shots of each, frames of each shot."""

    videos: int
    shots: int
    frames: int


class SourceBox(NamedTuple):
    """One box as annotated.

    `where`: it stands ("boxes.csv line 3"). `corners`: x0, y0, x1, y1 in pixels. `size`: width and
    height of its frame according to whoever drew it, None if that is not said.
    """

    where: str
    corners: tuple[float, float, float, float]
    size: tuple[int, int] | None = None


class SourceFrame(NamedTuple):
    """One frame, not read yet.

    `frame_id`: the name by which the field knows it. `where`: how a user finds it, for messages.
    `source`: the image file, or its content. `boxes`: unchecked, in pixels of the upright image.
    """

    frame_id: str
    where: str
    source: Path | bytes
    boxes: tuple[SourceBox, ...] = ()


class SourceShot(NamedTuple):
    """One shot; `video` is unique in the class, `shot` in the video; frames in order of time.

    `frames` has `num_frames` of them and may be lazy: it is walked at most once.
    """

    class_name: str
    video: str
    shot: str
    num_frames: int
    frames: Iterable[SourceFrame]
