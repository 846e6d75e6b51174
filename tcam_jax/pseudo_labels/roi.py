"""Region of interest: where an activation map exceeds its own Otsu threshold; the box around it."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from tcam_jax.pseudo_labels.otsu import otsu_threshold
from tcam_jax.pseudo_labels.regions import (
    densest_region,
    largest_region,
    reference_box,
    region_box,
)

SeedRegion = Callable[[Bool[Array, "h w"], Float[Array, "h w"]], Bool[Array, "h w"]]
"""(the pixels above the threshold, the map) -> those that count."""

SEED_REGIONS: dict[str, SeedRegion] = {
    "all": lambda above, cam: above,
    "largest": lambda above, cam: largest_region(above),
    "largest_box": lambda above, cam: reference_box(largest_region(above)),
    "densest": densest_region,
}
"""What of the pixels above the threshold is the region of interest; a user's own joins them.

- all: all of them (TCAM).
- largest: their largest 4-connected region (CoLo-CAM's text).
- largest_box: everything in its box, see `regions.reference_box` (CoLo-CAM's code).
- densest: the 4-connected region of the highest mean, see `regions.densest_region`.
"""

BOXES = ("tight", "reference")
"""How the box of a region is drawn, see `object_box`."""


def region_of_interest(cam: Float[Array, "h w"], *, region: str = "all") -> Bool[Array, "h w"]:
    """Return the pixels of a map that reach its Otsu threshold.

    The threshold comes from the 8-bit levels, but the map itself is compared without rounding,
    in float32, as the authors' implementation does.

    Args:
      cam: activation map, 0..1.
      region: what of these pixels counts, one of `SEED_REGIONS`. What it leaves out counts as
        outside, like the pixels below the threshold.

    Returns:
      True inside the region (`C+` of the paper). If all 8-bit levels are equal, the threshold is 0
      and the region is the whole image.

    Raises:
      ValueError: if `region` is unknown, or the map has more than 2**18 pixels.

    Source:
      TCAM section 3 (pixel-wise pseudo-labels); CoLo-CAM (Belharbi et al., Pattern Recognition
      162:111358, 2025) for the largest region.
    """
    if region not in SEED_REGIONS:
        known = ", ".join(SEED_REGIONS)
        raise ValueError(f"The region of interest must be one of {known}; got {region!r}.")
    above = 255 * cam.astype(jnp.float32) >= otsu_threshold(cam)
    return SEED_REGIONS[region](above, cam)


def object_box(
    roi: Bool[Array, "h w"], *, region: str = "all", box: str = "tight"
) -> Bool[Array, "h w"]:
    """Return the box outside of which the loss `empty_outside_box` wants no foreground.

    Args:
      roi: a region of interest.
      region: which one of `SEED_REGIONS` it is.
      box: "tight" is the smallest box around it. "reference" is the authors': of region "all" the
        whole frame, of any other the region's, both without the frame's last row and column
        (`regions.reference_box`). With "all" the loss then does next to nothing.

    Returns:
      True in the box, its outermost pixels included.

    Raises:
      ValueError: if `box` is unknown.
    """
    if box == "tight":
        return region_box(roi)
    if box != "reference":
        raise ValueError(f"The box must be one of {', '.join(BOXES)}; got {box!r}.")
    return reference_box(jnp.ones_like(roi) if region == "all" else roi)
