"""From a localisation map to one box: threshold, largest connected region, bounding box.

The rule is the one of TCAM's evaluation and of the protocol it inherits from Choe et al.,
"Evaluating Weakly Supervised Object Localization Methods Right" (CVPR 2020): pixels above a
threshold relative to the map's own maximum form 8-connected regions, and the region whose *outer
contour* encloses the largest polygon (through pixel centres, holes included) gives the box. OpenCV
finds the contours, as in the authors' code.

Everything is NumPy on the host and for one map at a time. Maps are quantised as the reference does,
level = floor(255 * value): 8 bits, uint8 (see `evaluate.maps`).
"""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from skimage.filters import threshold_otsu

from tcam_jax.evaluate.logit_map import multi_otsu_level_of_logits

REGIONS = ("largest", "all")
"""Which connected regions count, of scores and of predictions; of seeds: `pseudo_labels.roi`."""

LEVELS = 256
"""Number of thresholds that can differ on a map quantised to 8 bits."""

Rectangle = tuple[int, int, int, int]
"""x, y, width, height, as of OpenCV."""


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
    boxes = boxes_of_mask(mask)
    return boxes[0] if len(boxes) else np.zeros(4, np.int32)


def boxes_of_mask(mask: Bool[np.ndarray, "h w"]) -> Int[np.ndarray, "n 4"]:
    """Boxes of all 8-connected regions of a mask; their holes have none.

    Args:
      mask: bool [h, w].

    Returns:
      int32 [n, 4]: as of `box_of_mask`, whose box is the first; then by the area that the outer
      contour encloses, of equal ones the one whose first pixel comes last before the others.
    """
    contours, hierarchy = find_contours(mask, cv2.RETR_CCOMP)
    outer = [
        contour for contour, (*_, parent) in zip(contours, hierarchy, strict=True) if parent < 0
    ]
    return boxes_of_rectangles(rectangles_of(outer), mask.shape)


def find_contours(
    mask: Bool[np.ndarray, "h w"], mode: int
) -> tuple[Sequence[np.ndarray], Int[np.ndarray, "n 4"]]:
    """Contours of a mask's 8-connected regions, and of their holes.

    Args:
      mask: bool [h, w].
      mode: one of OpenCV's `RETR_…`.

    Returns:
      Contours, int32 [points, 1, 2] each, the corners alone; and of each the numbers of the next,
      the previous, the first inner and the outer contour, -1 where there is none.
    """
    contours, hierarchy = cv2.findContours(mask.astype(np.uint8), mode, cv2.CHAIN_APPROX_SIMPLE)
    return contours, np.zeros((0, 4), np.int32) if hierarchy is None else hierarchy[0]


def rectangles_of(contours: Sequence[np.ndarray]) -> list[Rectangle]:
    """Bounding rectangle of each contour; first those that enclose most, ties in given order."""
    ordered = sorted(contours, key=cv2.contourArea, reverse=True)
    return [(x, y, w, h) for x, y, w, h in map(cv2.boundingRect, ordered)]


def boxes_of_rectangles(
    rectangles: Sequence[Rectangle], shape: tuple[int, int]
) -> Int[np.ndarray, "n 4"]:
    """Boxes of rectangles on a map of `shape` [h, w], see `box_of_mask`."""
    boxes = np.array(rectangles, np.int32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    boxes[:, 2:] = np.minimum(boxes[:, 2:], (shape[1] - 1, shape[0] - 1))
    return boxes


def otsu_level(levels: UInt8[np.ndarray, "h w"]) -> int:
    """Otsu's threshold of a quantised map: the level to use where no threshold could be chosen.

    Args:
      levels: uint8 [h, w], a quantised map.

    Returns:
      A level, 0..254; 0 for a constant map.
    """
    return 0 if levels.min() == levels.max() else int(threshold_otsu(levels))


def threshold_level(
    levels: UInt8[np.ndarray, "h w"], tau: float | None, of_logits: bool = False
) -> int:
    """Level of one threshold on one map; arguments as of `largest_box`."""
    if tau is None:
        return multi_otsu_level_of_logits(levels) if of_logits else otsu_level(levels)
    return int(level_of(tau, LEVELS - 1 if of_logits else int(levels.max())))


def largest_box(
    levels: UInt8[np.ndarray, "h w"], tau: float | None, of_logits: bool = False
) -> Int[np.ndarray, "4"]:
    """Box predicted from one map at one threshold.

    Args:
      levels: uint8 [h, w], a quantised map.
      tau: threshold in 0..1, relative to the maximum of the map; None: the map's own, Otsu's.
      of_logits: the map is of `evaluate.logit_map`; tau is then on its scale, whatever the maximum,
        and the map's own the upper of Otsu's two thresholds between three classes.

    Returns:
      int32 [4]: see `box_of_mask`.
    """
    return box_of_mask(levels > threshold_level(levels, tau, of_logits))
