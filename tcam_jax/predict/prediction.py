"""What is said of one frame, and how other programs get it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
from PIL import Image

from tcam_jax.evaluate.boxes import threshold_level
from tcam_jax.evaluate.corloc import edge_iou
from tcam_jax.predict.drawing.overlays import draw
from tcam_jax.runtime.extras import require
from tcam_jax.runtime.given import check_share

if TYPE_CHECKING:
    import supervision

Box = tuple[float, float, float, float]


class Prediction(NamedTuple):
    """What TCAM says of one frame.

        (prediction,) = model.predict([frame])
        print(prediction.class_name, prediction.box)

    Attributes:
      class_index, class_name: the most probable class, or the one asked for.
      probability: its probability, 0..1.
      boxes: x0, y0, x1, y1 each, in pixels of the frame as given, the largest region's first. Edges
        are those of the map's cells: what reaches into the last row ends at y1 = height.
      scores: mean foreground probability inside each box, 0..1.
      map: foreground map, uint8 `[s, s]`, floor(255 * value), at the network's size: of its logits,
        see `evaluate.logit_map`, its probability, or a CAM, as the run's `eval.map` says.
      of_logits: the map is of logits; a threshold is then the same logit for all frames, otherwise
        a share of the map's maximum.
      level: what is above it in the map is foreground.
      probabilities: of all classes, `[k]`.
      class_names: `[k]`.
      image: the frame, RGB, uint8 `[h, w, 3]`; not a copy.
      file, frame, time: the frame's file, its number there, and the second when a video shows it;
        of a frame in memory None, its number among those given, and None.
      tracks: of each box, the number of what it follows through its file; None: not tracked.
    """

    class_index: int
    class_name: str
    probability: float
    boxes: list[Box]
    scores: list[float]
    map: np.ndarray
    of_logits: bool
    level: int
    probabilities: np.ndarray
    class_names: tuple[str, ...]
    image: np.ndarray
    file: Path | None
    frame: int
    time: float | None
    tracks: list[int] | None = None

    def __repr__(self) -> str:
        """Say in a line what it says; the arrays are too long for one."""
        where = "frame" if self.file is None else f"{self.file} frame"
        boxes = ", ".join(str([round(edge, 1) for edge in box]) for box in self.boxes[:3])
        more = f", … ({len(self.boxes)})" if len(self.boxes) > 3 else ""
        return (
            f"Prediction({self.class_name} {self.probability:.2f}, {where} {self.frame}, "
            f"boxes: {boxes or 'none'}{more})"
        )

    @property
    def size(self) -> tuple[int, int]:
        """The frame's height and width, pixels."""
        height, width = self.image.shape[:2]
        return height, width

    @property
    def box(self) -> Box | None:
        """The largest region's box; None where no pixel is above the threshold."""
        return self.boxes[0] if self.boxes else None

    @property
    def threshold(self) -> float:
        """That of the boxes, 0..1, as `tau` of `Predictor` would say it."""
        return (self.level + 0.5) / (255 if self.of_logits else max(int(self.map.max()), 1))

    @property
    def confidences(self) -> list[float]:
        """The class's probability times each box's score: where a format has one number a box."""
        return [self.probability * score for score in self.scores]

    def mask(self, threshold: float | None = None) -> np.ndarray:
        """Return the foreground in the frame's pixels, bool `[h, w]`: all regions, small ones too.

        A pixel belongs to the cell of the map that its centre lies in.

        Args:
          threshold: another one than that of the boxes, 0..1, below 1: as `tau` of `Predictor`.

        Raises:
          InputError: the threshold is out of range.
        """
        level = self.level
        if threshold is not None:
            check_share(threshold, "threshold")
            level = threshold_level(self.map, threshold, self.of_logits)
        return self._in_pixels(self.map > level)

    def region_masks(self) -> np.ndarray:
        """Return each box's own region in the frame's pixels, bool `[n, h, w]`."""
        return self.region_numbers() == np.arange(1, len(self.boxes) + 1)[:, None, None]

    def region_numbers(self) -> np.ndarray:
        """Return the number of each pixel's box, from 1, uint16 `[h, w]`; 0 is in none's region."""
        _, labels, stats, _ = cv2.connectedComponentsWithStats(
            (self.map > self.level).astype(np.uint8), connectivity=8
        )
        corners = np.concatenate([stats[1:, :2], stats[1:, :2] + stats[1:, 2:4]], axis=1)
        corners = corners * (self.size[::-1] * 2) / len(self.map)
        # A box is that of one region, or near it, the mean of its track, see `smooth_boxes`.
        from scipy.optimize import linear_sum_assignment  # seldom needed, and slow to import

        overlaps = edge_iou(np.array(self.boxes).reshape(-1, 4), corners)
        numbers = np.zeros(len(stats), np.uint16)  # of each label; 0 is the background
        for box, region in zip(*linear_sum_assignment(overlaps, maximize=True), strict=True):
            if overlaps[box, region] > 0:
                numbers[region + 1] = box + 1
        return self._in_pixels(numbers[labels])

    def resized_map(self) -> np.ndarray:
        """Return the map in the frame's pixels, uint8 `[h, w]`, bilinear between its cells."""
        square = Image.fromarray(self.map)
        return np.asarray(square.resize(self.size[::-1], Image.Resampling.BILINEAR))

    def plot(self, side_by_side: bool = False) -> Image.Image:
        """Return a picture: the frame under its map, the threshold's contour, boxes with labels.

            prediction.plot().save("home.jpg")

        In a notebook it shows itself. Small frames are enlarged, those of more than 4096 pixels a
        side shrunk.

        Args:
          side_by_side: boxes on the bare frame, and the map beside it.
        """
        return Image.fromarray(draw(self, side_by_side))

    def to_dict(self) -> dict[str, Any]:
        """Return what a line of `predictions.jsonl` says, of numbers, strings and lists alone."""
        record = {
            "file": None if self.file is None else str(self.file),
            "frame": self.frame,
            "time": self.time,
            "width": self.size[1],
            "height": self.size[0],
            "class": self.class_name,
            "probability": self.probability,
            "probabilities": dict(zip(self.class_names, self.probabilities.tolist(), strict=True)),
            "boxes": [list(box) for box in self.boxes],
            "scores": self.scores,
        }
        return record if self.tracks is None else record | {"tracks": self.tracks}

    def to_supervision(self) -> "supervision.Detections":
        """Return the boxes as `supervision.Detections`, for its annotators, zones and metrics.

        `confidence` is that of `confidences`, `mask` that of `region_masks`, `tracker_id` the
        tracks; `data` has the `class_name` and the `score` of each box.

        Raises:
          InputError: supervision is not installed.
        """
        require("supervision", "supervision")
        import supervision

        return supervision.Detections(
            xyxy=np.array(self.boxes, np.float32).reshape(-1, 4),
            mask=self.region_masks(),
            confidence=np.array(self.confidences, np.float32),
            class_id=np.full(len(self.boxes), self.class_index),
            tracker_id=None if self.tracks is None else np.array(self.tracks, int),
            data={
                "class_name": np.full(len(self.boxes), self.class_name),
                "score": np.array(self.scores, np.float32),
            },
        )

    def _in_pixels(self, cells: np.ndarray) -> np.ndarray:
        rows, columns = (
            (2 * np.arange(pixels) + 1) * count // (2 * pixels)
            for pixels, count in zip(self.size, cells.shape, strict=True)
        )
        return cells.take(columns, 1).take(rows, 0)
