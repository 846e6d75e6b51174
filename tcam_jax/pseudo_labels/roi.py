"""Region of interest: where an activation map exceeds its own Otsu threshold."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from tcam_jax.pseudo_labels.otsu import otsu_threshold
from tcam_jax.pseudo_labels.regions import REGIONS, largest_region


def region_of_interest(cam: Float[Array, "h w"], *, region: str = "all") -> Bool[Array, "h w"]:
    """Return the pixels of a map that reach its Otsu threshold.

    The threshold comes from the 8-bit levels, but the map itself is compared without rounding,
    in float32, as the authors' implementation does.

    Args:
      cam: activation map, 0..1.
      region: "all" keeps all these pixels (TCAM), "largest" only their largest 4-connected region
        (CoLo-CAM). What "largest" leaves out counts as outside, like the pixels below the
        threshold.

    Returns:
      True inside the region (`C+` of the paper). If all 8-bit levels are equal, the threshold is 0
      and the region is the whole image.

    Raises:
      ValueError: if `region` is unknown, or the map has more than 2**18 pixels.

    Source:
      TCAM section 3 (pixel-wise pseudo-labels); CoLo-CAM (Belharbi et al., Pattern Recognition
      162:111358, 2025) for the largest region.
    """
    if region not in REGIONS:
        raise ValueError(f"The region of interest must be 'largest' or 'all', got {region!r}.")
    roi = 255 * cam.astype(jnp.float32) >= otsu_threshold(cam)
    return largest_region(roi) if region == "largest" else roi
