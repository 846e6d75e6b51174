"""Every connected region of a map at every threshold, from one pass over its pixels.

The regions of all thresholds of a map nest in each other: they are the nodes of its max-tree
(Salembier et al., "Antiextensive connected operators for image and sequence processing", IEEE TIP
1998; scikit-image builds it). What a region is ranked by adds up along the tree: its box, the area
of its outline, and the number of its holes. So a sweep over any number of thresholds costs one tree
and table look-ups.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8
from scipy import ndimage
from skimage.morphology import max_tree

from tcam_jax.evaluate.boxes import EIGHT_CONNECTED, LEVELS, outer_contour_area


class Regions(NamedTuple):
    """The 8-connected regions of the pixels above each level of a map.

    Attributes:
      boxes: int32 `[n, 4]`, see `boxes.box_of_mask`.
      first, last: int `[n]`; a region is one of those above level l for first <= l < last.
      largest: int `[256]`, the region that wins at each level by `boxes.box_of_mask`'s rule; -1
        where there is none.
    """

    boxes: Int[np.ndarray, "n 4"]
    first: Int[np.ndarray, "n"]
    last: Int[np.ndarray, "n"]
    largest: Int[np.ndarray, "256"]

    def largest_boxes(self) -> Int[np.ndarray, "256 4"]:
        """Return the winner's box at each level; 0, 0, 0, 0 where there is no region."""
        return np.where(self.largest[:, None] >= 0, self.boxes[self.largest], 0)

    def best(self, values: Float[np.ndarray, "n"], missing: float) -> Float[np.ndarray, "256"]:
        """Return the largest of the regions' `values` at each level; `missing` without regions."""
        region, level = _pairs(self.first, self.last)
        best = np.full(LEVELS, -np.inf)
        np.maximum.at(best, level, values[region])
        return np.where(self.largest >= 0, best, missing)


def regions_of(levels: UInt8[np.ndarray, "h w"]) -> Regions:
    """Find the regions of all levels.

    Args:
      levels: uint8 [h, w], a quantised map.
    """
    edge = np.array([*levels.shape[::-1], levels.shape[1] - 1, levels.shape[0] - 1])
    # max_tree needs three pixels a side; zeros belong to no region.
    levels = np.pad(levels, [(0, max(3 - side, 0)) for side in levels.shape])
    width, flat = levels.shape[1], levels.ravel()
    parents, order = max_tree(levels, connectivity=2)
    parents, pixels = parents.ravel(), np.arange(flat.size)
    # One pixel stands for each region; every other pixel's parent is the one of its region.
    stands = flat[parents] != flat
    stands[order[0]] = True
    number = np.cumsum(stands) - 1
    node = number[np.where(stands, pixels, parents)]
    value = flat[stands].astype(np.int64)
    parent = number[parents[stands]]
    first = np.where(parent == np.arange(len(parent)), 0, value[parent])

    y, x = np.divmod(pixels, width)
    least = np.full((4, len(value)), flat.size)  # x0, y0, -x1, -y1
    for row, coordinate in zip(least, (x, y, -x, -y), strict=True):
        np.minimum.at(row, node, coordinate)
    reading = np.full(len(value), flat.size)  # first pixel in reading order
    np.minimum.at(reading, node, pixels)
    area, euler = _outlines(levels, node, len(value))

    by_value = np.argsort(-value, kind="stable")
    ends = np.flatnonzero(np.diff(value[by_value], append=-1)) + 1
    for children in np.split(by_value, ends[:-1])[:-1]:  # from the peaks down to the root
        above = parent[children]
        for row in (*least, reading):
            np.minimum.at(row, above, row[children])
        for row in (area, euler):
            np.add.at(row, above, row[children])

    x0, y0, x1, y1 = least[0], least[1], -least[2], -least[3]
    span = np.stack([x0, y0, x1 + 1, y1 + 1], axis=1)  # one past the region, as array slices
    boxes = np.minimum(span, edge).astype(np.int32)
    bound = 2 * (x1 - x0) * (y1 - y0)
    region, level = _pairs(first, value)
    # Holes have to be filled only where it may change the winner.
    surest = np.zeros(LEVELS, np.int64)
    np.maximum.at(surest, level, area[region])
    may_win = bound[region] >= surest[level]
    rivals = np.bincount(level[may_win], minlength=LEVELS)
    in_question = may_win & (rivals[level] > 1) & (euler[region] < 4)
    for one in np.unique(region[in_question]):
        left, top, right, bottom = span[one]
        window = levels[top:bottom, left:right] >= value[one]
        labels, _ = ndimage.label(window, EIGHT_CONNECTED)
        y, x = divmod(int(reading[one]), width)
        area[one] = round(2 * outer_contour_area(labels == labels[y - top, x - left]))

    rank = area * flat.size + reading  # of equal areas the one that begins last wins
    best = np.full(LEVELS, -1)
    np.maximum.at(best, level, rank[region])
    largest = np.full(LEVELS, -1)
    wins = rank[region] == best[level]
    largest[level[wins]] = region[wins]
    return Regions(boxes, first, value, largest)


def _pairs(first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (region, level) for every level at which each region exists."""
    lengths = last - first
    region = np.repeat(np.arange(len(first)), lengths)
    starts = np.cumsum(lengths) - lengths
    return region, np.arange(len(region)) - (starts - first)[region]


def _outlines(
    levels: np.ndarray, node: np.ndarray, count: int
) -> tuple[Int[np.ndarray, "n"], Int[np.ndarray, "n"]]:
    """Return what each node's own pixels add to twice the outline's area, and to Euler's number.

    Squares of four neighbouring pixel centres lie inside the outline if all four pixels are set,
    half inside if three are. Euler's number (1 less the number of holes) counts the squares with
    one pixel set, those with three, and those with two diagonal ones (Gray, "Local properties of
    binary images in two dimensions", IEEE ToC 1971). A square's pixels are all neighbours, so each
    of these changes belongs to the region of the pixel that makes it.
    """
    height, width = levels.shape
    padded = np.pad(levels.astype(np.int16), 1, constant_values=-1)
    nodes = np.pad(node.reshape(height, width), 1, constant_values=count)
    corners = [(slice(a, a - 1 or None), slice(b, b - 1 or None)) for a in (0, 1) for b in (0, 1)]
    values = np.stack([padded[corner].ravel() for corner in corners], axis=-1)
    owners = np.stack([nodes[corner].ravel() for corner in corners], axis=-1)
    order = np.argsort(-values, axis=-1, kind="stable")
    owners = np.take_along_axis(owners, order, axis=-1)
    diagonal = (order[:, 0] + order[:, 1] == 3).astype(np.int64)  # corners 0 and 3, or 1 and 2
    # Twice the area, and four times Euler's number, as the pixels are set from the highest down.
    one = np.ones_like(diagonal)
    area, euler = np.zeros(count + 1, np.int64), np.zeros(count + 1, np.int64)
    np.add.at(area, owners[:, 2:].ravel(), 1)
    for place, change in enumerate((one, -one - 2 * diagonal, 2 * diagonal - one, one)):
        np.add.at(euler, owners[:, place], change)
    return area[:-1], euler[:-1]
