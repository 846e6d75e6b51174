"""A frame at the size at which boxes are looked for in it, and its neighbours in the shot."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

Frame = UInt8[np.ndarray, "h w 3"]
"""RGB."""

Neighbours = Callable[[int], Sequence[Frame]]
"""The frames that are so many before and after one in its shot: two, one or none."""


def shrink(frame: Frame, longer: int) -> UInt8[np.ndarray, "y x 3"]:
    """Return a frame whose longer side has `longer` pixels; smaller frames are enlarged."""
    height, width = frame.shape[:2]
    factor = longer / max(height, width)
    size = max(round(width * factor), 16), max(round(height * factor), 16)
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)


def enlarge(box: Int[np.ndarray, "4"], small: np.ndarray, frame: Frame) -> Float[np.ndarray, "1 4"]:
    """Return a box of `small` in pixels of `frame`, float32; corners are inside, before and after.

    The outer edges of pixels go to those of pixels, so that nothing of the frame is lost.
    """
    scale = np.tile(np.array(frame.shape[1::-1]) / small.shape[1::-1], 2)
    edge = np.array([0, 0, 1, 1])
    return ((box + edge) * scale - edge).astype(np.float32)[None]


def no_box() -> Float[np.ndarray, "0 4"]:
    """Return what a frame has in which nothing was found."""
    return np.zeros((0, 4), np.float32)
