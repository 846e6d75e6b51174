"""Min-max normalisation of a map."""

import jax.numpy as jnp
from jaxtyping import Array, Float

# A map whose range is a smaller share of its largest magnitude than this is constant.
CONSTANT_SPAN = 1e-5


def min_max(raw: Float[Array, "y x"]) -> Float[Array, "y x"]:
    """Scale a map to 0..1; a constant map, which says nothing, becomes zeros (never NaN).

    Constant means: to within float32 rounding of the sums that made it, else a constant frame
    would give a map of amplified rounding errors.
    """
    shifted = raw - raw.min()
    span = shifted.max()
    varies = span > CONSTANT_SPAN * jnp.abs(raw).max()
    scaled = shifted / jnp.where(varies, span, 1)
    # XLA multiplies by the reciprocal, which can miss 1: the level of a map's peak would be 254.
    return jnp.where(varies, jnp.where(shifted == span, 1, scaled), 0)
