"""Thresholds that need no true boxes: from a map, and what else is seen, to its level.

One entry of `THRESHOLD_RULES` is one rule; each is for one map. With z the map's values (TCAM's
logit differences), M the pixels above a threshold and C the CAM's own region above Otsu's level:

  otsu: the threshold between two classes of values (Otsu, IEEE Trans. SMC 9(1), 1979).
  multi_otsu: the upper one between three (Liao et al., J. Inf. Sci. Eng. 17(5), 2001).
  middle: halfway between the map's smallest and largest z.
  robust_middle: halfway between its quantiles 0.01 and 0.99.
  cam_area: the one whose |M| is nearest to |C|.
  cam_agreement: the one whose box has the largest IoU with C's box.
  stability: where |M| changes least with the threshold, (|M-| - |M+|) / |M| (MSER: Matas et al.,
    BMVC 2002).
  edges: the largest mean colour gradient along the outline of M.
  colour: the least variance of colours within M and outside it (Chan and Vese, IEEE TIP 10(2),
    2001).

"agreement" is none of these: one threshold for all frames, the one at which the boxes of unlabelled
validation frames agree best with those of the CAMs, see `evaluate.protocols`.
"""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from tcam_jax.evaluate.boxes import LEVELS, otsu_level
from tcam_jax.evaluate.corloc import iou
from tcam_jax.evaluate.logit_map import (
    level_of_logit,
    logits_of,
    multi_otsu_level_of_logits,
    otsu_level_of_logits,
)

# Regions smaller or larger than these shares of the frame are no candidates of the rules that look
# for a best level: a speck can be as stable, and as sharply outlined, as an object.
_SMALLEST, _LARGEST = 0.02, 0.7
_STEP = 4  # between the levels that are tried on the image
_REACH = 12  # levels to both sides in which a stable region hardly changes


class Evidence(NamedTuple):
    """What a rule may look at.

    Attributes:
      levels: the quantised logit map, see `evaluate.logit_map`.
      boxes: the largest region's box at each level.
      cam: the quantised CAM that guided it, of the predicted class.
      cam_box: the box of the CAM's Otsu region.
      image: the frame, RGB.
    """

    levels: UInt8[np.ndarray, "h w"]
    boxes: Int[np.ndarray, "256 4"]
    cam: UInt8[np.ndarray, "h w"]
    cam_box: Int[np.ndarray, "4"]
    image: UInt8[np.ndarray, "h w 3"]


Rule = Callable[[Evidence], int]


def otsu(seen: Evidence) -> int:
    """See the module."""
    return otsu_level_of_logits(seen.levels)


def multi_otsu(seen: Evidence) -> int:
    """See the module; Otsu's where a map has two values only."""
    return multi_otsu_level_of_logits(seen.levels)


def middle(seen: Evidence) -> int:
    """See the module."""
    z = logits_of(seen.levels)
    return level_of_logit(float(z.min() + z.max()) / 2)


def robust_middle(seen: Evidence) -> int:
    """See the module."""
    return level_of_logit(float(np.quantile(logits_of(seen.levels), (0.01, 0.99)).mean()))


def cam_area(seen: Evidence) -> int:
    """See the module."""
    wanted = (seen.cam > otsu_level(seen.cam)).mean()
    return int(np.abs(_areas(seen.levels) - wanted)[: LEVELS - 1].argmin())


def cam_agreement(seen: Evidence) -> int:
    """See the module."""
    return int(iou(seen.boxes, seen.cam_box[None])[: LEVELS - 1, 0].argmax())


def stability(seen: Evidence) -> int:
    """See the module; Otsu's where no region is of a size to be looked at."""
    areas = _areas(seen.levels)
    levels = np.arange(_REACH, LEVELS - 1 - _REACH)
    levels = levels[_of_a_size(areas[levels])]
    if not len(levels):
        return otsu(seen)
    change = (areas[levels - _REACH] - areas[levels + _REACH]) / areas[levels]
    return int(levels[change.argmin()])


def edges(seen: Evidence) -> int:
    """See the module; Otsu's where no region is of a size to be looked at."""
    smooth = cv2.GaussianBlur(seen.image, (0, 0), 1.0).astype(np.int64)
    levels, outline, gradient = seen.levels, np.zeros(LEVELS), np.zeros(LEVELS)
    for ahead, behind in (
        (np.s_[:, 1:], np.s_[:, :-1]),
        (np.s_[1:], np.s_[:-1]),
    ):
        # The outline runs between two pixels at the levels from the lower to below the higher one.
        low = np.minimum(levels[ahead], levels[behind]).ravel()
        high = np.maximum(levels[ahead], levels[behind]).ravel()
        across = np.abs(smooth[ahead] - smooth[behind]).sum(-1).ravel()
        for total, weights in ((outline, None), (gradient, across)):
            total += np.bincount(low, weights, LEVELS) - np.bincount(high, weights, LEVELS)
    outline, gradient = outline.cumsum(), gradient.cumsum()
    return _best_level(seen, gradient / np.maximum(outline, 1))


def colour(seen: Evidence) -> int:
    """See the module; Otsu's where no region is of a size to be looked at."""
    of_level, unity = seen.levels.ravel(), np.zeros(LEVELS)
    counts = np.bincount(of_level, minlength=LEVELS)
    for channel in np.moveaxis(seen.image.astype(np.int64), -1, 0):
        values = channel.ravel()
        sums = np.bincount(of_level, values, LEVELS)
        outside = np.cumsum([counts, sums], axis=1)
        # Of each side of each level; the sum of the squares is the same for all levels.
        for number, total in (outside, outside[:, -1:] - outside):
            unity += total**2 / np.maximum(number, 1)
    return _best_level(seen, unity)


THRESHOLD_RULES: dict[str, Rule] = {
    "otsu": otsu,
    "multi_otsu": multi_otsu,
    "middle": middle,
    "robust_middle": robust_middle,
    "cam_area": cam_area,
    "cam_agreement": cam_agreement,
    "stability": stability,
    "edges": edges,
    "colour": colour,
}
"""name -> rule; a user's own joins them."""


def _of_map_alone(rule: Rule) -> Callable[[UInt8[np.ndarray, "h w"]], int]:
    def level(levels: UInt8[np.ndarray, "h w"]) -> int:
        nothing = np.zeros((LEVELS, 4), np.int32)
        return rule(Evidence(levels, nothing, levels, nothing[0], np.stack([levels] * 3, -1)))

    return level


MAP_RULES = {
    name: _of_map_alone(THRESHOLD_RULES[name])
    for name in ("otsu", "multi_otsu", "middle", "robust_middle", "stability")
}
"""name -> level of a map, for the rules that look at nothing else: those of prediction."""


def _areas(levels: UInt8[np.ndarray, "h w"]) -> Float[np.ndarray, "256"]:
    """Return the share of the pixels that is above each level."""
    counts = np.bincount(levels.ravel(), minlength=LEVELS)
    return 1 - np.cumsum(counts) / levels.size


def _of_a_size(areas: Float[np.ndarray, "n"]) -> np.ndarray:
    return (areas > _SMALLEST) & (areas < _LARGEST)


def _best_level(seen: Evidence, merit: Float[np.ndarray, "256"]) -> int:
    tried = np.arange(0, LEVELS - 1, _STEP)
    tried = tried[_of_a_size(_areas(seen.levels)[tried])]
    return int(tried[merit[tried].argmax()]) if len(tried) else otsu(seen)
