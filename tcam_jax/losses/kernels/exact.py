"""The dense Gaussian kernel, every pair of pixels: the reference for the other evaluations."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

_TILE = 1 << 21  # kernel entries in memory at a time: 8 MB in float32


def apply(
    image: Float[Array, "h w 3"],
    mask: Float[Array, "h w"],
    values: Float[Array, "h w"],
    sigma_rgb: float,
    sigma_xy: float | None,
) -> tuple[Float[Array, ""], Float[Array, "h w"]]:
    """Return `mask^T A mask` and `A values`, see `kernels.energy`.

    Relative error 1e-5 in float32. Time grows with the square of the pixels, memory with the
    pixels.
    """
    height, width = values.shape
    features = image / sigma_rgb
    if sigma_xy is not None:
        y, x = jnp.meshgrid(jnp.arange(height), jnp.arange(width), indexing="ij")
        place = jnp.stack([y, x], axis=-1).astype(image.dtype) / sigma_xy
        features = jnp.concatenate([place, features], axis=-1)
    features = features.reshape(height * width, -1)
    # Distances are differences of squares: centred features keep the squares small.
    features = features - features.mean(axis=0)
    both = jnp.stack([mask.ravel(), values.ravel()], axis=-1)
    filtered = _filter(features, both)
    return jnp.vdot(both[:, 0], filtered[:, 0]), filtered[:, 1].reshape(height, width)


def _filter(features: Float[Array, "p d"], values: Float[Array, "p c"]) -> Float[Array, "p c"]:
    """Multiply by the kernel matrix, a few rows at a time."""
    # The exponents do not survive the short mantissas of an accelerator's default products.
    highest = jax.lax.Precision.HIGHEST
    half_squares = (features**2).sum(axis=-1) / 2

    def filter_row(feature: Float[Array, " d"]) -> Float[Array, " c"]:
        exponent = jnp.matmul(features, feature, precision=highest)
        exponent = exponent - half_squares - (feature**2).sum() / 2
        # Rounding can make the distance of equal features negative.
        return jnp.matmul(jnp.exp(jnp.minimum(exponent, 0)), values, precision=highest)

    return jax.lax.map(filter_row, features, batch_size=max(1, _TILE // features.shape[0]))
