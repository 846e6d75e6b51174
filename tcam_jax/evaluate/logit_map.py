"""TCAM's map: the difference of its logits on a fixed scale of 0..1 that does not saturate.

A probability does: a decoder that is sure of itself has maps of 0 and 255 alone, and no threshold
between them tells sure from surer. With z = foreground logit - background logit, the scale is

    value = 0.5 + z / (2 (|z| + LOGIT_SCALE)),

monotone, 0.5 where both are equally likely, and the same for all maps: unlike the CAMs', a
threshold on it is no share of a map's own maximum but one z for all frames.
"""

from typing import TypeVar

import numpy as np
from jaxtyping import Array, Float, UInt8
from skimage.filters import threshold_multiotsu, threshold_otsu

Values = TypeVar("Values", Array, np.ndarray, float)

LOGIT_SCALE = 8.0
"""The z, in nats, of the values 0.25 and 0.75."""


def to_scale(z: Values) -> Values:
    """Return differences of logits, of any shape, on the scale."""
    return 0.5 + z / (2 * (abs(z) + LOGIT_SCALE))


def from_scale(value: Float[np.ndarray, "*pixels"]) -> Float[np.ndarray, "*pixels"]:
    """Return the differences of logits of values above 0 and below 1."""
    share = 2 * np.asarray(value) - 1
    return LOGIT_SCALE * share / (1 - np.abs(share))


def logits_of(levels: UInt8[np.ndarray, "*pixels"]) -> Float[np.ndarray, "*pixels"]:
    """Return the logit differences in the middle of the quantised map's levels."""
    return _OF_LEVEL[levels]


def otsu_level_of_logits(levels: UInt8[np.ndarray, "h w"]) -> int:
    """Return the level of Otsu's threshold of the logit differences; 0 for a constant map.

    On the scale's own values Otsu's threshold would be another one, and a worse one: they are
    close together where z is large.
    """
    z = logits_of(levels)
    return 0 if z.min() == z.max() else level_of_logit(float(threshold_otsu(z)))


def multi_otsu_level_of_logits(levels: UInt8[np.ndarray, "h w"]) -> int:
    """Return the level of the upper of Otsu's two thresholds between three classes of logits.

    Between foreground and background lies what is neither: the upper threshold cuts it off. Where a
    map has too few values for three classes, it is Otsu's one threshold.

    Source:
      Liao et al., "A fast algorithm for multilevel thresholding", J. Inf. Sci. Eng. 17(5), 2001.
    """
    try:
        return level_of_logit(
            float(threshold_multiotsu(logits_of(levels), classes=3, nbins=128)[1])
        )
    except ValueError:
        return otsu_level_of_logits(levels)


def level_of_logit(z: float) -> int:
    """Return the level above which a quantised map's pixels have more than `z`, 0..254."""
    return int(np.clip(np.floor(255 * to_scale(z)), 0, 254))


_OF_LEVEL = from_scale((np.minimum(np.arange(256), 254) + 0.5) / 255).astype(np.float32)
