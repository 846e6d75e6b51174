"""The box of what moves in a video, where the camera may move too: no label and no network.

Of the optical flow from the frame to those before and after it, the part that is not the camera's
(`data.optical_flow`); its largest region above Otsu's threshold gives the box.
"""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from tcam_jax.data.optical_flow import FARTHEST, Grey, grey, smooth_motion
from tcam_jax.evaluate.boxes import box_of_mask, otsu_level
from tcam_jax.evaluate.small_frame import Frame, Neighbours, enlarge, no_box, shrink

SIZE = 256
"""The longer side at which frames are compared, pixels; the other pixels here are of this size."""

_DISTANCES = (1, 2, FARTHEST)  # of the neighbours: slow things are seen against farther ones
_LEAST = 0.5  # pixels that a thing moves beyond the camera's motion
_CLEAR = 4.0  # times as fast as the median of what is not the thing


def motion_boxes(frame: Frame, neighbours: Neighbours) -> Float[np.ndarray, "n 4"]:
    """Find the thing that moves, if one clearly does.

    Args:
      frame: RGB.
      neighbours: gives frames of the same shot.

    Returns:
      float32 [n, 4], n of 0 or 1: x0, y0, x1, y1 in pixels of the frame, both corners inside. None
      where no frame is near, nothing moves by `_LEAST` pixels, or the region is no thing: noise, or
      a background that RANSAC took for what moves, which touches three edges or more.
    """
    now = _small_grey(frame)
    for distance in _DISTANCES:
        others = [_fitting(_small_grey(other), now) for other in neighbours(distance)]
        if not others:
            break  # nor is there any farther away
        box = _moving_region(smooth_motion(now, others))
        if box is not None:
            return enlarge(box, now, frame)
    return no_box()


def _small_grey(frame: Frame) -> Grey:
    return grey(shrink(frame, SIZE))


def _fitting(other: UInt8[np.ndarray, "h w"], now: Grey) -> Grey:
    """Return a neighbour at the frame's size: frames of one shot may differ in theirs."""
    return other if other.shape == now.shape else np.asarray(cv2.resize(other, now.shape[::-1]))


def _moving_region(smooth: Float[np.ndarray, "h w"]) -> np.ndarray | None:
    """The box, int32 [4], corners inside, of the largest region that moves; None if not clear."""
    levels = np.rint(255 * smooth / max(float(smooth.max()), 1e-6)).astype(np.uint8)
    moving = levels > otsu_level(levels)
    if not moving.any():
        return None
    speed, rest = smooth[moving].mean(), np.median(smooth[~moving])
    x0, y0, x1, y1 = box = box_of_mask(moving)
    height, width = smooth.shape
    edges = (x0 == 0) + (y0 == 0) + (x1 == width - 1) + (y1 == height - 1)
    clear = speed >= max(_LEAST, _CLEAR * rest) and edges < 3 and x1 > x0 and y1 > y0
    return box if clear else None
