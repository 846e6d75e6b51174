"""At which levels the largest region's box hits a true box: found by halving the levels.

The same answers as `level_boxes` with `corloc.overlaps_by_level` and `corloc.hits`, for a tenth of
the time: some 20 levels of a map are looked at, not 255. Three facts make it exact.

Let a region's filled set be its pixels and those of its holes. OpenCV's contour area is a sum over
the squares between four neighbouring pixels: 1 where all four are filled, 1/2 where three are. It
does not shrink where the filled set grows, and disjoint filled sets inside another one have
together no larger area than that one. Regions inside holes are smaller than the one around them,
so that only outermost regions matter, whose filled sets are disjoint.

1. From a level to a higher one the foreground shrinks, and each outermost region there lies in the
   filled set of one here. Let L and H be the largest at a low and at a high level, S the second
   largest area at the low one. If area(H) > S, then H lies in L. If area(H) > area(L) - area(H)
   too, then at each level between, what holds H has an area of at least area(H), what else lies
   in L less than that, and what lies outside L at most S: what holds H is the one largest region.
   Its box holds H's and lies in L's.
2. Of boxes between two known ones the overlap with a true box is bounded on both sides.
3. Above a level all boxes lie in the rectangle around that level's foreground: where even half of
   a true box is not in it, it is hit at no higher level.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Int, Num, UInt8

from tcam_jax.evaluate.boxes import LEVELS, Rectangle

IOU = 0.5
"""The overlap that makes a hit (reached counts)."""

_Box = tuple[int, int, int, int]  # x0, y0, x1, y1, corners inside
_NO_REGION = (0, 0, 0, 0)  # as of `boxes.box_of_mask`


class _Look(NamedTuple):
    """What lies above a level: the largest region, the second largest's area, the frame of all."""

    region: Rectangle
    box: _Box
    area: float
    second: float
    around: Rectangle


def level_hits(
    levels: UInt8[np.ndarray, "h w"],
    wanted: Int[np.ndarray, "n"],
    truth: Num[np.ndarray, "g 4"],
) -> Bool[np.ndarray, "n"]:
    """Tell at which of the `wanted` levels the largest region's box hits a true box.

    Args:
      levels: a quantised map.
      wanted: levels, 0..255, in any order.
      truth: the true boxes in the pixels of the map, whole numbers.
    """
    present = np.flatnonzero(cv2.calcHist([levels], [0], None, [LEVELS], [0, LEVELS]).ravel())
    # Between two neighbouring values of the map the same pixels lie above every level.
    above = np.searchsorted(present, wanted, side="right")
    cuts, cut_of = np.unique(above, return_inverse=True)
    found = _Halving(levels, present[cuts[cuts < len(present)]].tolist(), _boxes(truth)).hits()
    if len(found) < len(cuts):  # nothing lies above the highest
        found.append(_hits(_NO_REGION, _boxes(truth)))
    return np.array(found, bool)[cut_of]


class _Halving:
    """The hits of a map cut at `values`, increasing, each of which leaves something."""

    def __init__(self, levels: np.ndarray, values: Sequence[int], truth: Sequence[_Box]):
        self._levels, self._values, self._truth = levels, values, truth
        self._hits = [False] * len(values)

    def hits(self) -> list[bool]:
        if self._values:
            height, width = self._levels.shape
            low, last = self._look(0, (0, 0, width, height)), len(self._values) - 1
            if last > 0 and self._reaches(low.around):
                self._between(0, low, last, self._look(last, low.around))
        return self._hits

    def _between(self, i: int, low: _Look, j: int, high: _Look) -> None:
        """Fill in the hits of cuts between number i and j, which were looked at."""
        if j - i < 2:
            return
        # Once so, it is so for all pairs between: then only the low one's largest region matters.
        in_one = high.area > low.second and high.area > low.area - high.area
        if in_one:
            known = _known(high.box, low.box, self._truth)
            if known is not None:
                self._hits[i + 1 : j] = [known] * (j - i - 1)
                return
        middle = (i + j) // 2
        look = self._look(middle, low.region if in_one else low.around)
        self._between(i, low, middle, look)
        if self._reaches(look.around):
            self._between(middle, look, j, high)

    def _look(self, number: int, within: Rectangle) -> _Look:
        """Look at a cut, `within` a rectangle."""
        x, y, w, h = within
        mask = (self._levels[y : y + h, x : x + w] >= self._values[number]).view(np.uint8)
        contours, _ = cv2.findContours(
            mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(x, y)
        )
        areas = list(map(cv2.contourArea, contours))
        area = max(areas)
        place = areas.index(area)  # of equal ones the first
        areas[place] = -1.0
        left, top, w, h = cv2.boundingRect(contours[place])
        region = around = left, top, w, h
        if len(contours) > 1:
            left, top, w, h = cv2.boundingRect(mask)
            around = x + left, y + top, w, h
        box = self._box(region)
        self._hits[number] = _hits(box, self._truth)
        return _Look(region, box, area, max(areas), around)

    def _reaches(self, around: Rectangle) -> bool:
        box = self._box(around)
        return any(_common(box, true) >= IOU * _area(true) for true in self._truth)

    def _box(self, rectangle: Rectangle) -> _Box:
        """Return a rectangle's box by the rule of `boxes.box_of_mask`."""
        x, y, w, h = rectangle
        height, width = self._levels.shape
        return x, y, min(x + w, width - 1), min(y + h, height - 1)


def _boxes(truth: np.ndarray) -> list[_Box]:
    """Return the true boxes that have an area: the others are never hit."""
    boxes = [(int(x0), int(y0), int(x1), int(y1)) for x0, y0, x1, y1 in truth.tolist()]
    return [box for box in boxes if box[2] >= box[0] and box[3] >= box[1]]


def _area(box: _Box) -> int:
    return (box[2] - box[0] + 1) * (box[3] - box[1] + 1)


def _common(box: _Box, other: _Box) -> int:
    width = min(box[2], other[2]) - max(box[0], other[0]) + 1
    height = min(box[3], other[3]) - max(box[1], other[1]) + 1
    return width * height if width > 0 and height > 0 else 0


def _hits(box: _Box, truth: Sequence[_Box]) -> bool:
    return _known(box, box, truth) is True


def _known(inner: _Box, outer: _Box, truth: Sequence[_Box]) -> bool | None:
    """Tell whether every box, or none, that holds `inner` and lies in `outer` is a hit."""
    none = True
    for true in truth:
        least, most = _common(inner, true), _common(outer, true)
        if least >= IOU * (_area(outer) + _area(true) - most):
            return True
        none = none and most < IOU * (_area(inner) + _area(true) - least)
    return False if none else None
