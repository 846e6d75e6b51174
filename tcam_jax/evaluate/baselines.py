"""Boxes that no network gives: the centre, the whole frame, what moves. What a method must beat.

Boxes are x0, y0, x1, y1 in pixels of the frame, both corners inside.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from tcam_jax.data.truth import Truth
from tcam_jax.evaluate.boxes import largest_box
from tcam_jax.evaluate.corloc import iou

FRACTIONS = np.arange(1, 21) / 20
"""Sizes of the centre box among which the best is looked for, of the frame's width and height."""


def centre_boxes(truth: Truth, fraction: float) -> Float[np.ndarray, "frames 4"]:
    """The box in the middle of every frame that has `fraction` of its width and of its height."""
    sides = fraction * truth.sizes
    low = (truth.sizes - sides) / 2
    return np.concatenate([low, low + sides - 1], axis=1)


def best_fraction(truth: Truth) -> float:
    """The one of `FRACTIONS` whose centre box has the highest CorLoc on frames with boxes."""
    scores = [box_corloc(centre_boxes(truth, fraction), truth) for fraction in FRACTIONS]
    return float(FRACTIONS[int(np.argmax(scores))])


def box_corloc(boxes: Float[np.ndarray, "frames 4"], truth: Truth, least: float = 0.5) -> float:
    """CorLoc of one box a frame, as a mean over the classes that have frames, 0..100.

    Args:
      boxes: one for each frame of `truth`.
      truth: every frame with boxes.
      least: the overlap with any true box that makes a hit.

    Raises:
      ValueError: a frame has no true box.
    """
    if any(len(of_frame) == 0 for of_frame in truth.boxes):
        raise ValueError("expected a true box on every frame; leave out those without")
    overlaps = [iou(box, of_frame).max() for box, of_frame in zip(boxes, truth.boxes, strict=True)]
    hits = np.array(overlaps) >= least
    return 100 * float(np.mean([hits[truth.labels == k].mean() for k in np.unique(truth.labels)]))


def moving_box(
    frame: UInt8[np.ndarray, "h w 3"], neighbours: Sequence[UInt8[np.ndarray, "h w 3"]]
) -> Int[np.ndarray, "4"]:
    """Box of the largest region that differs from the neighbouring frames, RGB, without training.

    The camera's shift, the median of the optical flow, is undone; of the differences to several
    neighbours the least counts, since what moves differs from all of them where it is now. Blurred
    by a fiftieth of the width, cut at Otsu's threshold. No neighbour: the whole frame.
    """
    height, width = frame.shape[:2]
    if not neighbours:
        return np.array([0, 0, width - 1, height - 1], np.int32)
    now = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    least = np.full((height, width), np.inf, np.float32)
    for neighbour in neighbours:
        other = cv2.cvtColor(neighbour, cv2.COLOR_RGB2GRAY)
        ways = flow.calc(now, other, np.zeros((height, width, 2), np.float32))
        dx, dy = np.median(np.asarray(ways), axis=(0, 1))
        undo = np.array([[1, 0, -dx], [0, 1, -dy]], np.float32)
        # What the camera did not see then differs from nothing.
        still = cv2.warpAffine(other.astype(np.float32), undo, (width, height), borderValue=np.nan)
        least = np.fmin(least, np.abs(now - still))
    smooth = cv2.GaussianBlur(np.where(np.isinf(least), 0, least), (0, 0), width / 50)
    levels = np.rint(255 * smooth / max(float(smooth.max()), 1e-6)).astype(np.uint8)
    return largest_box(levels, None)
