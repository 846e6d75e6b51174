"""CorLoc: the share of frames whose box overlaps a true box enough, for a sweep of thresholds.

The protocol is that of TCAM's evaluation (`MaxBoxAcc` of Choe et al., CVPR 2020): a frame counts
once, as a hit if its box has an IoU of at least 0.5 with *any* of its true boxes. One threshold
serves all frames; where it comes from (validation, or maximised on the test split itself as in the
paper's tables) is the caller's choice and must be named with the figure.

Boxes are x0, y0, x1, y1 with both corners inside, hence the +1 in widths and heights.
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int, Num

from tcam_jax.evaluate.boxes import REGIONS, level_of
from tcam_jax.evaluate.level_boxes import LevelBoxes

TAUS_VALIDATION = np.arange(0, 1, 0.004)
"""The reference's 250 thresholds for choosing tau on the validation split, float64."""

TAUS_TEST = np.arange(0, 1, 0.001)
"""The reference's 1000 thresholds for a test split, float64."""


def iou(boxes: Num[np.ndarray, "*n 4"], truth: Num[np.ndarray, "g 4"]) -> Float[np.ndarray, "*n g"]:
    """Intersection over union of every box with every true box.

    Args:
      boxes: [..., 4] in pixels, corners included.
      truth: [g, 4] likewise.

    Returns:
      float64 [..., g] in 0..1.
    """
    boxes, truth = boxes[..., None, :].astype(np.float64), truth.astype(np.float64)
    corner_low = np.maximum(boxes[..., :2], truth[:, :2])
    corner_high = np.minimum(boxes[..., 2:], truth[:, 2:])
    common = np.prod(np.maximum(corner_high - corner_low + 1, 0), axis=-1)
    return common / (_area(boxes) + _area(truth) - common)


def edge_iou(
    boxes: Num[np.ndarray, "*n 4"], others: Num[np.ndarray, "g 4"]
) -> Float[np.ndarray, "*n g"]:
    """Do as `iou` for boxes whose corners are edges, as those of a `predict.Prediction`."""
    last = np.array([0.0, 0.0, 1.0, 1.0])  # from x1, y1 to the last column and row inside
    return iou(boxes - last, others - last)


def scale_boxes(
    boxes: Num[np.ndarray, "g 4"], width: int, height: int, size: int
) -> Int[np.ndarray, "g 4"]:
    """Move true boxes from the original frame to the square image the model sees.

    Args:
      boxes: [g, 4] in pixels of the original frame.
      width: of the original frame, pixels.
      height: of the original frame, pixels.
      size: side of the square image, pixels.

    Returns:
      int32 [g, 4]: coordinates truncated, not rounded, as in the reference.
    """
    frame = np.array([width, height, width, height], np.float64)
    return (boxes.astype(np.float64) * size / frame).astype(np.int32)


def overlaps_by_level(
    boxes: LevelBoxes, truth: Num[np.ndarray, "g 4"]
) -> dict[str, Float[np.ndarray, "256"]]:
    """Return the best IoU with any true box at each level, for each of `REGIONS`.

    Args:
      boxes: of one frame's map.
      truth: [g, 4], the true boxes in the pixels of the map.

    Returns:
      float64 [256] for "largest" (the box of the largest region alone) and for "all" (the boxes of
      all regions, and those of their holes: in the authors' code every contour gives a box, as in
      MaxBoxAccV2).

    Raises:
      ValueError: the frame has no true box, so that neither a hit nor a miss can be counted.
    """
    if len(truth) == 0:
        raise ValueError(
            "expected at least one true box, got none; leave frames without boxes out of CorLoc"
        )
    nothing = float(iou(np.zeros(4), truth).max())  # the box where a map has no region
    overlaps = {
        "largest": iou(boxes.largest_boxes(), truth).max(axis=-1),
        "all": boxes.best(iou(boxes.boxes, truth).max(axis=-1), missing=nothing),
    }
    return {regions: overlaps[regions] for regions in REGIONS}


def hits(
    overlaps: Float[np.ndarray, "frames 256"],
    peaks: Int[np.ndarray, "frames"],
    taus: Float[np.ndarray, "taus"],
    iou_threshold: float = 0.5,
) -> Bool[np.ndarray, "frames taus"]:
    """Which thresholds localise which frames.

    Args:
      overlaps: best IoU of each frame at each level, see `overlaps_by_level`.
      peaks: maximum of each quantised map, 0..255.
      taus: thresholds in 0..1, relative to the peak.
      iou_threshold: the overlap that makes a hit (reached counts).
    """
    levels = level_of(taus, peaks[:, None])
    return np.take_along_axis(overlaps, levels, axis=1) >= iou_threshold


@dataclasses.dataclass(frozen=True)
class Localisation:
    """Hits of all evaluated frames at all thresholds, and the figures drawn from them.

    Figures are percentages, 0..100.

    Attributes:
      hits: bool [frames, taus].
      labels: int [frames], the true class of each frame.
      taus: float [taus], increasing.

    Raises:
      ValueError: there is no frame, or the shapes do not agree.
    """

    hits: Bool[np.ndarray, "frames taus"]
    labels: Int[np.ndarray, "frames"]
    taus: Float[np.ndarray, "taus"]

    def __post_init__(self) -> None:
        expected = (len(self.labels), len(self.taus))
        if self.hits.shape != expected or self.hits.size == 0:
            raise ValueError(
                f"expected hits [frames, taus] = {expected} with at least one frame and one "
                f"threshold, got {self.hits.shape}; pass one row of hits per labelled frame"
            )

    def frame_mean(self) -> Float[np.ndarray, "taus"]:
        """Average over frames [taus]: the reference's CorLoc and the criterion for tau."""
        return 100 * self.hits.mean(axis=0)

    def per_class(self, num_classes: int) -> Float[np.ndarray, "taus k"]:
        """CorLoc of each class [taus, k]; NaN for a class without frames."""
        of_class = self.labels[:, None] == np.arange(num_classes)
        correct = self.hits.T.astype(np.float64) @ of_class
        with np.errstate(invalid="ignore"):
            return 100 * correct / of_class.sum(axis=0)

    def class_mean(self) -> Float[np.ndarray, "taus"]:
        """Unweighted mean over the classes that have frames [taus]: "Avg" in the paper's tables."""
        return np.nanmean(self.per_class(int(self.labels.max()) + 1), axis=1)

    def best_tau(self) -> float:
        """Threshold with the highest frame mean, the smallest of equal ones."""
        return float(self.taus[self.frame_mean().argmax()])

    def best_tau_of_class(self, label: int) -> float:
        """Threshold that is best for one class alone; `best_tau` for a class without frames."""
        of_class = self.hits[self.labels == label]
        return (
            float(self.taus[of_class.mean(axis=0).argmax()]) if len(of_class) else self.best_tau()
        )


def centre_box(size: int, fraction: float) -> Int[np.ndarray, "4"]:
    """Baseline that looks at nothing: a centred square.

    Args:
      size: side of the image, pixels.
      fraction: side of the square relative to the image's, above 0, up to 1.

    Returns:
      int32 [4], corners included.

    Raises:
      ValueError: `fraction` is outside its range.
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"expected a fraction above 0 and up to 1, got {fraction}; use e.g. 0.5")
    side = max(round(size * fraction), 1)
    low = (size - side) // 2
    return np.array([low, low, low + side - 1, low + side - 1], np.int32)


def whole_frame(size: int) -> Int[np.ndarray, "4"]:
    """Baseline that looks at nothing: the whole image of `size` pixels a side, int32 [4]."""
    return centre_box(size, 1.0)


def _area(boxes: np.ndarray) -> np.ndarray:
    return np.prod(boxes[..., 2:] - boxes[..., :2] + 1, axis=-1)
