"""The boxes of a map at every threshold.

Between two neighbouring values of the map the same pixels lie above every level, so each value is
looked at once: a map of two values costs one look, not 256.
"""

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from tcam_jax.evaluate.boxes import (
    LEVELS,
    Rectangle,
    boxes_of_rectangles,
    find_contours,
    rectangles_of,
)


class LevelBoxes(NamedTuple):
    """The boxes of the 8-connected regions above each level of a map, and of their holes.

    A hole has a box of its own, from the pixels of the region around it: a ring has two boxes. So
    it is in the authors' code, where every contour gives a box.

    Attributes:
      boxes: int32 `[n, 4]`, see `boxes.box_of_mask`.
      start, stop: int `[256]`; `boxes[start[l]:stop[l]]` are those of level l, none where the two
        are equal. The largest region's comes first, by `boxes.box_of_mask`'s rule.
    """

    boxes: Int[np.ndarray, "n 4"]
    start: Int[np.ndarray, "256"]
    stop: Int[np.ndarray, "256"]

    def largest_boxes(self) -> Int[np.ndarray, "256 4"]:
        """Return the largest region's box at each level; 0, 0, 0, 0 where there is no region."""
        boxes = np.zeros((LEVELS, 4), np.int32)
        found = self.start < self.stop
        boxes[found] = self.boxes[self.start[found]]
        return boxes

    def best(self, values: Float[np.ndarray, "n"], missing: float) -> Float[np.ndarray, "256"]:
        """Return the highest of the boxes' `values` at each level; `missing` without boxes."""
        best = np.full(LEVELS, missing)
        found = self.start < self.stop
        if found.any():
            starts, picture = np.unique(self.start[found], return_inverse=True)
            best[found] = np.maximum.reduceat(values, starts)[picture]
        return best


def level_boxes(levels: UInt8[np.ndarray, "h w"]) -> LevelBoxes:
    """Find the boxes of all levels.

    OpenCV lets go of Python's lock while it works: maps can be shared out over threads.

    Args:
      levels: uint8 [h, w], a quantised map.
    """
    rectangles: list[Rectangle] = []
    start, stop = np.zeros(LEVELS, np.int64), np.zeros(LEVELS, np.int64)
    below = 0
    for value in np.unique(levels).tolist():
        # The levels from `below` on, and under `value`, have the same pixels above them.
        if value > 0:
            start[below:value] = len(rectangles)
            rectangles += rectangles_of(find_contours(levels >= value, cv2.RETR_TREE)[0])
            stop[below:value] = len(rectangles)
        below = value
    return LevelBoxes(boxes_of_rectangles(rectangles, levels.shape), start, stop)
