"""What both versions of YouTube-Objects are read as: shots, and what the authors say of them."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image

from tcam_jax.data.builders.findings import Finding, Findings
from tcam_jax.data.builders.sources import SourceBox, SourceFrame, SourceShot
from tcam_jax.data.folder_walk import natural_order
from tcam_jax.data.optical_flow import FARTHEST

Boxes = Mapping[str, tuple[SourceBox, ...]]  # of one shot: file name -> its unchecked boxes


class RawShot(NamedTuple):
    """One shot with at least one frame file.

    `shot_id`: its published name, "horse/video-0014/shot-000139"; a frame's is this, "/" and the
    file's name. `folder`: where the files lie; `where`: the same for messages, from the class
    folder on. `names`: the files, in natural order. `box_files`: annotations beside them.
    """

    class_name: str
    video: str
    shot: str
    shot_id: str
    folder: Path
    where: str
    names: Sequence[str]
    box_files: Sequence[str] = ()


class Annotations(NamedTuple):
    """What the authors published about one class.

    `split_of`: {video: split}, in the order in which the reference rule takes the videos; one that
    is not there belongs to neither split. `labelled`: the videos with an annotated frame, whatever
    its boxes are. `boxes`: {shot_id: boxes}, of the frames that are there.
    """

    split_of: dict[str, Literal["train", "test"]]
    labelled: frozenset[str]
    boxes: dict[str, Boxes]


def source_shot(raw: RawShot, boxes: Boxes, only: Container[str] | None = None) -> SourceShot:
    """The shot as it is prepared, with all of its frames or with those named in `only`."""
    names = raw.names if only is None else [name for name in raw.names if name in only]
    return SourceShot(raw.class_name, raw.video, raw.shot, len(names), _frames(raw, names, boxes))


def evaluated_shots(raw: RawShot, boxes: Boxes, also: Container[str] = ()) -> list[SourceShot]:
    """The frames of a shot that have boxes, and those beside them against which motion is seen.

    Where frames between are left out another shot begins: what is stored one after the other is so
    in the raw shot, too.

    Args:
        raw: the shot.
        boxes: of its frames.
        also: names of frames that are stored without boxes too.
    """
    near = [place for place, name in enumerate(raw.names) if name in boxes]
    stored = {place + away for place in near for away in range(-FARTHEST, FARTHEST + 1)}
    stored |= {place for place, name in enumerate(raw.names) if name in also}
    places = sorted(stored & set(range(len(raw.names))))
    pieces = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1) if places else []
    shots = []
    for number, piece in enumerate(pieces, start=1):
        shot = raw.shot if number == 1 else f"{raw.shot} part {number}"
        names = [raw.names[place] for place in piece]
        frames = _frames(raw, names, boxes)
        shots.append(SourceShot(raw.class_name, raw.video, shot, len(names), frames))
    return shots


def _frames(raw: RawShot, names: Sequence[str], boxes: Boxes) -> Iterator[SourceFrame]:
    for name in names:
        yield SourceFrame(
            frame_id=f"{raw.shot_id}/{name}",
            where=f"{raw.where}/{name}",
            source=raw.folder / name,
            boxes=boxes.get(name, ()),
        )


def in_order(shots: Iterable[SourceShot]) -> list[SourceShot]:
    """By class, video and shot, in natural order, whatever order they come in."""
    return sorted(shots, key=lambda shot: [natural_order(Path(name)) for name in shot[:3]])


def as_boxes(where: str, values: Sequence[np.ndarray], findings: Findings) -> tuple[SourceBox, ...]:
    """The entries of one frame's annotation; one that is not four numbers is noted and left out."""
    boxes = []
    for number, corners in enumerate(values, start=1):
        place = where if len(values) == 1 else f"{where} box {number}"
        if len(corners) == 4:
            boxes.append(SourceBox(place, tuple(corners.tolist())))
        else:
            findings.add(Finding("box_malformed", place, f"it has {len(corners)} values, not 4"))
    return tuple(boxes)


def image_size(path: Path) -> tuple[int, int] | None:
    """Width and height in pixels, from the file's header; None where it is damaged."""
    try:
        with Image.open(path) as image:
            return image.size
    except Exception:  # Pillow raises many types; the fault is noted when the frame is decoded
        return None
