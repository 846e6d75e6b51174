"""Where things go from one frame to another: dense optical flow, and the camera's part of it.

Flow: Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016, as OpenCV has it.
The camera's part: one affine map of the frame, found by RANSAC (Fischler and Bolles, Comm. ACM
24(6), 1981). What is left over is the motion of things.
"""

from collections.abc import Sequence
from typing import NamedTuple, cast

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

Grey = UInt8[np.ndarray, "y x"]
"""A frame's brightness, 0..255."""

Flow = Float[np.ndarray, "y x 2"]
"""Pixels (right, down) by which what lies in each place of one frame lies elsewhere in another."""

_GRID = 4  # pixels between those by which the camera's motion is found
_TOLERANCE = 1.0  # pixels by which these may miss it
_LEAST = 1 / 512  # of the frame's side: what moves less than that does not count as moving
# Share of the places that must agree on the camera's motion. Of neighbours in moving_photos a sixth
# or more do, a quarter or more of most; of frames that show different scenes, an eighth at most.
# That is so at these sides, pixels: of smaller frames unrelated ones agree too, of larger ones
# neighbours do not.
_AGREEING = 0.15
_SIDES = (160, 224)
_MARGIN = 4  # pixels, half the flow's patch, from the edge


LEAST_SIDE = 16
"""Pixels: of smaller frames there is no flow."""

FLOW_STRIDE = 4
"""Pixels between two places of the flow and of the motion that batches of windows have."""


MOTION_DISTANCES = (-2, -1, 1, 2)
"""Frames from the one whose motion is looked for to those that it is seen against."""

FARTHEST = 4
"""Frames to the farthest that anything here, or a pseudo-box, is seen against."""


def flow_side(size: int) -> int:
    """Return how many of these places a side of a square frame of `size` pixels has."""
    return -(-size // FLOW_STRIDE)


class OwnMotion(NamedTuple):
    """What moves other than the camera.

    Attributes:
      pixels: by which each place does, float32; 0 where it is not known.
      known: False where the camera has taken the place out of the other frame: it is not looked
        for there, its flow is wrong.
    """

    pixels: Float[np.ndarray, "y x"]
    known: Bool[np.ndarray, "y x"]


def grey(frame: UInt8[np.ndarray, "y x 3"]) -> Grey:
    """Return an RGB frame's brightness."""
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY))


def optical_flow(now: Grey, other: Grey) -> Flow:
    """Find where each place of a frame lies in another frame of its size, in float32.

    Both sides must have 16 pixels or more.
    """
    # One for each call: several threads may be here.
    dense = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.asarray(dense.calc(now, other, np.zeros((*now.shape, 2), np.float32)))


def own_motion(flow: Flow) -> OwnMotion | None:
    """Return the motion of things in a flow; None where what the camera did cannot be told.

    So it is between frames of different scenes, or too far apart, whose flow is wrong throughout.
    """
    height, width = flow.shape[:2]
    places = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
    seen = places[::_GRID, ::_GRID].reshape(-1, 2)
    fitted, agreeing = cv2.estimateAffine2D(
        seen,
        seen + flow[::_GRID, ::_GRID].reshape(-1, 2),
        method=cv2.RANSAC,
        ransacReprojThreshold=_TOLERANCE,
        confidence=0.999,
    )
    camera = cast(np.ndarray | None, fitted)  # OpenCV's types do not know of None
    if camera is None or agreeing.mean() < _AGREEING:
        return None
    still = places @ camera[:, :2].T + camera[:, 2]
    known = ((still >= _MARGIN) & (still < [width - _MARGIN, height - _MARGIN])).all(-1)
    moved = np.linalg.norm(places + flow - still, axis=-1)
    return OwnMotion((known * moved).astype(np.float32), known)


def smooth_motion(now: Grey, others: Sequence[Grey]) -> Float[np.ndarray, "y x"]:
    """Return the pixels by which each place moves other than the camera, float32.

    Args:
      now: a frame, its sides `LEAST_SIDE` or more.
      others: frames near it in its shot, of its size, one or more.

    Returns:
      The mean over the others, smoothed; 0 everywhere if the camera's motion is known to none.
    """
    motion, counted = np.zeros(now.shape, np.float32), np.zeros(now.shape, np.float32)
    for other in others:
        found = own_motion(optical_flow(now, other))
        if found is None:
            continue
        motion += found.pixels
        counted += found.known
    smooth = cv2.GaussianBlur(motion / np.maximum(counted, 1), (0, 0), max(now.shape) / 64)
    # The fastest hundredth is mostly wrong flow, and would hide the rest.
    return np.asarray(np.minimum(smooth, np.quantile(smooth, 0.99)))


def motion_map(now: Grey, others: Sequence[Grey]) -> Float[np.ndarray, "g g"]:
    """Return where things move, 0..1, float32, at every `FLOW_STRIDE`-th place of a square frame.

    Args:
      now, others: see `smooth_motion`; without others the map is 0. They are compared at a side of
        160 to 224 pixels, smaller and larger ones at the nearest of these.
    """
    g = flow_side(len(now))
    if not others:
        return np.zeros((g, g), np.float32)
    side = int(np.clip(len(now), *_SIDES))
    motion = smooth_motion(_square(now, side), [_square(other, side) for other in others])
    clear = max(float(motion.max()), _LEAST * side)
    return np.asarray(cv2.resize(motion / clear, (g, g), interpolation=cv2.INTER_AREA))


def _square(frame: Grey, side: int) -> UInt8[np.ndarray, "side side"]:
    if len(frame) == side:
        return frame
    smaller = len(frame) > side
    interpolation = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(frame, (side, side), interpolation=interpolation))


def window_flow(
    frames: UInt8[np.ndarray, "b t size size 3"], valid: Bool[np.ndarray, "b t"], target: int
) -> Float[np.ndarray, "b t g g 2"]:
    """Find where each place of the targets lies in the other frames of their windows.

    Args:
      frames: of the windows.
      valid: False where there is no such frame.
      target: position of the target frame on the t axis.

    Returns:
      float32, as a share of the frame's sides (down, right), of every `FLOW_STRIDE`-th place; 0 for
      the target itself and where there is no frame.
    """
    b, t, size = frames.shape[:3]
    g = flow_side(size)
    flow = np.zeros((b, t, g, g, 2), np.float32)
    for row in range(b):
        now = grey(frames[row, target])
        for place in range(t):
            if place != target and valid[row, place]:
                moved = optical_flow(now, grey(frames[row, place]))
                small = cv2.resize(moved, (g, g), interpolation=cv2.INTER_AREA)
                flow[row, place] = small[..., ::-1] / size
    return flow
