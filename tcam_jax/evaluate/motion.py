"""The box of what moves in a video, where the camera may move too: no label and no network.

Dense optical flow (Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016) from
the frame to those before and after it; one affine map of the frame, found by RANSAC (Fischler and
Bolles, Comm. ACM 24(6), 1981), is the camera's part of it; what is left over is the motion of
things. Its largest region above Otsu's threshold gives the box.
"""

from collections.abc import Sequence
from typing import cast

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from tcam_jax.evaluate.boxes import box_of_mask, otsu_level
from tcam_jax.evaluate.small_frame import Frame, Neighbours, enlarge, no_box, shrink

SIZE = 256
"""The longer side at which frames are compared, pixels; the other pixels here are of this size."""

_DISTANCES = (1, 2, 4)  # of the neighbours: slow things are seen against farther ones
_GRID = 4  # pixels between those by which the camera's motion is found
_TOLERANCE = 1.0  # pixels by which these may miss it
_MARGIN = 4  # pixels, half the flow's patch, from the edge
_BLUR = SIZE / 64
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
        others = [_small_grey(other) for other in neighbours(distance)]
        if not others:
            break  # nor is there any farther away
        box = _moving_region(_own_motion(now, others))
        if box is not None:
            return enlarge(box, now, frame)
    return no_box()


def _small_grey(frame: Frame) -> UInt8[np.ndarray, "y x"]:
    return np.asarray(cv2.cvtColor(shrink(frame, SIZE), cv2.COLOR_RGB2GRAY))


def _own_motion(
    now: UInt8[np.ndarray, "h w"], others: Sequence[UInt8[np.ndarray, "h w"]]
) -> Float[np.ndarray, "h w"]:
    """Pixels by which each place moves other than the camera, as a mean over `others`.

    A place that the camera has taken out of another frame is not looked for in it: its flow is
    wrong.
    """
    height, width = now.shape
    places = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
    seen = places[::_GRID, ::_GRID].reshape(-1, 2)
    motion, counted = np.zeros(now.shape, np.float32), np.zeros(now.shape, np.float32)
    for other in others:
        # One for each call: several threads may be here.
        dense = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        flow = np.asarray(dense.calc(now, other, np.zeros((height, width, 2), np.float32)))
        fitted, _ = cv2.estimateAffine2D(
            seen,
            seen + flow[::_GRID, ::_GRID].reshape(-1, 2),
            method=cv2.RANSAC,
            ransacReprojThreshold=_TOLERANCE,
            confidence=0.999,
        )
        camera = cast(np.ndarray | None, fitted)  # OpenCV's types do not know of None
        if camera is None:  # no two places agree: nothing is known
            return np.zeros(now.shape, np.float32)
        still = places @ camera[:, :2].T + camera[:, 2]
        there = ((still >= _MARGIN) & (still < [width - _MARGIN, height - _MARGIN])).all(-1)
        motion += there * np.linalg.norm(places + flow - still, axis=-1)
        counted += there
    return motion / np.maximum(counted, 1)


def _moving_region(motion: Float[np.ndarray, "h w"]) -> np.ndarray | None:
    """The box, int32 [4], corners inside, of the largest region that moves; None if not clear."""
    smooth = cv2.GaussianBlur(motion, (0, 0), _BLUR)
    # The fastest hundredth is mostly wrong flow, and would draw the threshold upwards.
    smooth = np.minimum(smooth, np.quantile(smooth, 0.99))
    levels = np.rint(255 * smooth / max(float(smooth.max()), 1e-6)).astype(np.uint8)
    moving = levels > otsu_level(levels)
    if not moving.any():
        return None
    speed, rest = smooth[moving].mean(), np.median(smooth[~moving])
    x0, y0, x1, y1 = box = box_of_mask(moving)
    height, width = motion.shape
    edges = (x0 == 0) + (y0 == 0) + (x1 == width - 1) + (y1 == height - 1)
    clear = speed >= max(_LEAST, _CLEAR * rest) and edges < 3 and x1 > x0 and y1 > y0
    return box if clear else None
