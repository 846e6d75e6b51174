"""What is known of the frames that are evaluated: their classes and true boxes."""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tcam_jax.data.records import Split


class Truth(NamedTuple):
    """Frames to evaluate, in the order of their batches.

    Attributes:
      records: record number of each frame, int64 `[frames]`.
      ids: "class/video/shot/file.jpg" of each frame.
      labels: class index, int32 `[frames]`.
      sizes: width and height of each frame, pixels, int32 `[frames, 2]`.
      boxes: per frame, x0, y0, x1, y1 in pixels of the frame, float32 `[g, 4]`; g may be 0.
    """

    records: np.ndarray
    ids: Sequence[str]
    labels: np.ndarray
    sizes: np.ndarray
    boxes: Sequence[np.ndarray]

    @property
    def has_boxes(self) -> bool:
        """Whether any frame has a box, so that CorLoc can be measured."""
        return any(len(boxes) for boxes in self.boxes)

    def of(self, chosen: np.ndarray) -> "Truth":
        """Return the chosen frames alone, bool `[frames]`, in their order."""
        numbers = np.flatnonzero(chosen).tolist()
        return Truth(
            self.records[chosen],
            [self.ids[i] for i in numbers],
            self.labels[chosen],
            self.sizes[chosen],
            [self.boxes[i] for i in numbers],
        )


def video_of(frame_ids: Sequence[str]) -> np.ndarray:
    """Return a number for the video of each frame id, "class/video/shot/file.jpg", `[frames]`."""
    names = [_video_name(frame_id) for frame_id in frame_ids]
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def share_of_trained_videos(frame_ids: Sequence[str], train: Split) -> float:
    """Return the share of frames, 0..1, of whose videos other frames are trained on.

    Where it is not 0, videos were split by time: they look as what was trained on does.
    """
    trained = {_video_name(frame_id) for frame_id in _of_each_video(train)}
    return float(np.mean([_video_name(frame_id) in trained for frame_id in frame_ids]))


def _of_each_video(split: Split) -> Iterator[str]:
    """Yield the id of a frame of each video, the first that can be read."""
    order = np.argsort(split.table.video, kind="stable")
    starts = np.unique(split.table.video[order], return_index=True)[1]
    for records in np.split(order, starts[1:]):
        yield from itertools.islice(split.readable_ids(records.tolist()), 1)


def _video_name(frame_id: str) -> str:
    return "/".join(frame_id.split("/")[:2])


def read_truth(split: Split) -> Truth:
    """Return the frames of `split` that have boxes; all frames where none has."""
    labelled = np.flatnonzero(split.table.has_box)
    records = labelled if len(labelled) else np.arange(split.table.num_records)
    ids, sizes, boxes = [], [], []
    for record in records:
        (row,) = split.read([record])  # one at a time: the JPEG bytes come along
        ids.append(row["frame_id"])
        sizes.append((row["width"], row["height"]))
        boxes.append(np.asarray(row["boxes"], np.float32).reshape(-1, 4))
    return Truth(
        records=records.astype(np.int64),
        ids=ids,
        labels=split.table.label[records],
        sizes=np.array(sizes, np.int32),
        boxes=boxes,
    )
