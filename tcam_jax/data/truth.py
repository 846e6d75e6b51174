"""What is known of the frames that are evaluated: their classes and true boxes."""

from collections.abc import Sequence
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
    _, first = np.unique(train.table.video, return_index=True)
    trained = set()
    for record in first:
        (row,) = train.read([record])  # one at a time: the JPEG bytes come along
        trained.add(_video_name(row["frame_id"]))
    return float(np.mean([_video_name(frame_id) in trained for frame_id in frame_ids]))


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
