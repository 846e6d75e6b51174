"""Region of interest: where an activation map exceeds its own Otsu threshold."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from tcam_jax.pseudo_labels.otsu import otsu_threshold


def region_of_interest(cam: Float[Array, "h w"]) -> Bool[Array, "h w"]:
    """Return the pixels of a map that reach its Otsu threshold.

    The threshold comes from the 8-bit levels, but the map itself is compared without rounding,
    in float32, as the authors' implementation does.

    Args:
      cam: activation map, 0..1.

    Returns:
      True inside the region (`C+` of the paper). If all 8-bit levels are equal, the threshold is 0
      and the region is the whole image.

    Raises:
      ValueError: if the map has more than 2**18 pixels.

    Source:
      TCAM section 3 (pixel-wise pseudo-labels).
    """
    return 255 * cam.astype(jnp.float32) >= otsu_threshold(cam)
