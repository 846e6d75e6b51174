"""From a localisation map to one box: threshold, largest connected region, bounding box.

The rule is the one of TCAM's evaluation and of the protocol it inherits from Choe et al.,
"Evaluating Weakly Supervised Object Localization Methods Right" (CVPR 2020): pixels above a
threshold relative to the map's own maximum form 8-connected regions, and the region whose *outer
contour* encloses the largest polygon (through pixel centres, holes included) gives the box. It is
what OpenCV's `findContours`, `contourArea` and `boundingRect` give, found here without contours.

Everything is NumPy on the host and for one map at a time. Maps are quantised as the reference does,
level = floor(255 * value): 8 bits, uint8 (see `evaluate.maps`).
"""

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from scipy import ndimage
from skimage.filters import threshold_otsu

LEVELS = 256
"""Number of thresholds that can differ on a map quantised to 8 bits."""

EIGHT_CONNECTED = np.ones((3, 3), bool)


def level_of(
    tau: float | Float[np.ndarray, "*taus"], peak: int | Int[np.ndarray, "*peaks"]
) -> Int[np.ndarray, "..."]:
    """Integer level of a relative threshold: pixels strictly above it are the foreground.

    Args:
      tau: threshold(s) in 0..1, relative to the maximum of the map.
      peak: maximum of the quantised map(s), 0..255; broadcast against `tau`.

    Returns:
      int64: int(tau * peak), the product in float64.
    """
    return np.asarray(np.float64(tau) * peak, np.int64)


def box_of_mask(mask: Bool[np.ndarray, "h w"]) -> Int[np.ndarray, "4"]:
    """Box of the largest region of a mask.

    Regions are 8-connected and ranked by the area their outer contour encloses, the contour being
    a polygon through pixel centres: holes count, lines and single pixels have none. Of equal
    regions the one whose first pixel comes last in reading order wins, as with OpenCV.

    Args:
      mask: bool [h, w].

    Returns:
      int32 [4]: x0, y0, x1, y1 in pixels, where x1 = min(x0 + width, w - 1) and likewise y1, hence
      one pixel right of and below the region unless the image ends there (the reference's
      convention). No region: 0, 0, 0, 0.
    """
    return _box(_largest_region(mask), mask.shape)


def boxes_of_mask(mask: Bool[np.ndarray, "h w"]) -> Int[np.ndarray, "n 4"]:
    """Boxes of all 8-connected regions of a mask.

    Args:
      mask: bool [h, w].

    Returns:
      int32 [n, 4]: as of `box_of_mask`, whose box is the first; then by the area that the outer
      contour encloses.
    """
    labels, _ = ndimage.label(mask, EIGHT_CONNECTED)
    regions = ndimage.find_objects(labels)
    areas = [
        outer_contour_area(labels[region] == number) for number, region in enumerate(regions, 1)
    ]
    # Of equal ones the last, see `box_of_mask`.
    order = sorted(range(len(regions)), key=lambda i: (areas[i], i), reverse=True)
    boxes = [_box(regions[i], mask.shape) for i in order]
    return np.array(boxes, np.int32).reshape(-1, 4)


def otsu_level(levels: UInt8[np.ndarray, "h w"]) -> int:
    """Otsu's threshold of a quantised map: the level to use where no threshold could be chosen.

    Args:
      levels: uint8 [h, w], a quantised map.

    Returns:
      A level, 0..254; 0 for a constant map.
    """
    return 0 if levels.min() == levels.max() else int(threshold_otsu(levels))


def threshold_level(levels: UInt8[np.ndarray, "h w"], tau: float | None) -> int:
    """Level of one threshold on one map; arguments as of `largest_box`."""
    return otsu_level(levels) if tau is None else int(level_of(tau, int(levels.max())))


def largest_box(levels: UInt8[np.ndarray, "h w"], tau: float | None) -> Int[np.ndarray, "4"]:
    """Box predicted from one map at one threshold.

    Args:
      levels: uint8 [h, w], a quantised map.
      tau: threshold in 0..1, relative to the maximum of the map; None: Otsu's.

    Returns:
      int32 [4]: see `box_of_mask`.
    """
    return box_of_mask(levels > threshold_level(levels, tau))


def _box(region: tuple[slice, slice] | None, shape: tuple[int, int]) -> np.ndarray:
    if region is None:
        return np.zeros(4, np.int32)
    height, width = shape
    rows, columns = region
    right, bottom = min(columns.stop, width - 1), min(rows.stop, height - 1)
    return np.array([columns.start, rows.start, right, bottom], np.int32)


def _largest_region(mask: np.ndarray) -> tuple[slice, slice] | None:
    """Rows and columns of the winning region of `mask`, or None where the mask is empty."""
    # Labels come in reading order of the regions' first pixels: the tie rule relies on it.
    labels, count = ndimage.label(mask, EIGHT_CONNECTED)
    if count == 0:
        return None
    regions = ndimage.find_objects(labels)
    if count == 1:
        return regions[0]
    # A contour encloses at most the rectangle through the outermost pixel centres: look at the
    # regions from the largest rectangle on, and stop where none of the others can win.
    bounds = np.array([(r.stop - r.start - 1) * (c.stop - c.start - 1) for r, c in regions])
    best = (0.0, count - 1)
    for index in np.argsort(-bounds):
        if bounds[index] == 0 or bounds[index] < best[0]:
            break
        area = outer_contour_area(labels[regions[index]] == index + 1)
        best = max(best, (area, int(index)))
    return regions[best[1]]


def outer_contour_area(region: Bool[np.ndarray, "h w"]) -> float:
    """Area of the polygon through the outermost pixel centres of one region, pixels².

    A square of four neighbouring centres lies wholly inside the polygon if all four pixels are set,
    half inside if three are, and outside otherwise.
    """
    background, _ = ndimage.label(np.pad(~region, 1, constant_values=True))
    filled = (background != background[0, 0]).view(np.uint8)
    corners = filled[1:, 1:] + filled[1:, :-1] + filled[:-1, 1:] + filled[:-1, :-1]
    whole, half = np.count_nonzero(corners == 4), np.count_nonzero(corners == 3)
    return whole + half / 2
