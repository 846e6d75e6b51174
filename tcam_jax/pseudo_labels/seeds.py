"""Seed map: the few labelled pixels of one frame, from its activation map."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from tcam_jax.pseudo_labels.regions import eroded
from tcam_jax.pseudo_labels.roi import region_of_interest
from tcam_jax.pseudo_labels.sampling import SeedRule, sample_background, sample_foreground

FOREGROUND = 1
BACKGROUND = 0
UNLABELLED = -255


def seed_map(
    key: PRNGKeyArray,
    cam: Float[Array, "h w"],
    *,
    rule: SeedRule,
    fg_pixels: int,
    bg_pixels: int,
    region: str = "all",
) -> Int[Array, "h w"]:
    """Draw the pseudo-labels of one frame.

    Seeds of both kinds are drawn, each grows to a square clipped at the borders, and a pixel that
    both kinds claim is given to neither.

    Args:
      key: random key.
      cam: activation map, 0..1.
      rule: where seeds may fall, see `SEED_RULES`.
      fg_pixels: foreground draws.
      bg_pixels: background draws.
      region: the region of interest, see `region_of_interest`. With "largest", the background of
        rule "complement" is everything outside the kept region: also the smaller regions above the
        threshold. Rule "lowest" does not depend on the region.

    Returns:
      int32 labels: 1 foreground, 0 background, -255 unlabelled (ignored by the losses). A constant
      map has no labels.

    Raises:
      ValueError: if `region` is unknown, or a field of the rule or a number of pixels is out of
        range.

    Source:
      TCAM section 3 (pixel-wise pseudo-labels); growing, conflicts and erosion as in the authors'
      implementation. Rule "fcam": Belharbi et al., "F-CAM: Full resolution class activation maps
      via guided parametric upscaling", WACV 2022.
    """
    for name, side in (("dilation", rule.dilation), ("erosion", rule.fg_erosion)):
        if side < 1 or side % 2 == 0:
            raise ValueError(f"The {name} of seeds must be an odd number of pixels, got {side}.")
    fg_key, bg_key = jax.random.split(key)
    roi = region_of_interest(cam, region=region)
    foreground = sample_foreground(
        fg_key,
        cam,
        roi if rule.fg_erosion == 1 else eroded(roi, rule.fg_erosion),
        fraction=rule.fg_fraction,
        pixels=fg_pixels,
        weighted=rule.fg_weighted,
    )
    background = sample_background(
        bg_key, cam, roi, rule=rule.bg, fraction=rule.bg_fraction, pixels=bg_pixels
    )
    is_fg = _squares(*foreground, cam.shape, rule.dilation)
    is_bg = _squares(*background, cam.shape, rule.dilation)
    labels = jnp.where(is_fg, FOREGROUND, jnp.where(is_bg, BACKGROUND, UNLABELLED))
    return jnp.where(is_fg & is_bg, UNLABELLED, labels).astype(jnp.int32)


def _squares(
    index: Int[Array, " pixels"],
    valid: Bool[Array, " pixels"],
    shape: tuple[int, ...],
    side: int,
) -> Bool[Array, "h w"]:
    """Mark squares around pixels: cheaper than dilating the whole map for a handful of seeds."""
    height, width = shape
    offsets = jnp.arange(side) - side // 2
    y = (index // width)[:, None, None] + offsets[:, None]
    x = (index % width)[:, None, None] + offsets
    inside = valid[:, None, None] & (y >= 0) & (x >= 0)
    # JAX drops what lies beyond the far borders, but counts negative indices from the end.
    y = jnp.where(inside, y, height)
    return jnp.zeros(shape, bool).at[y, x].set(True, mode="drop")
