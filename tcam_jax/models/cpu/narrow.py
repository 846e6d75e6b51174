"""Convolutions to few channels, as one matrix product and a sum of its shifted parts.

XLA's gradients take ten times as long where there are two channels, its convolution up to four
times.
"""

from functools import reduce
from operator import add

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

MAX_FEATURES = 4


def convolve(
    x: Float[Array, "b h w c"], kernel: Float[Array, "k k c d"]
) -> Float[Array, "b h w d"]:
    """Do the same as `models.plain.convolve`, stride 1."""
    side, _, channels, features = kernel.shape
    height, width = x.shape[1:3]
    wide = jnp.promote_types(x.dtype, jnp.float32)  # for the sum
    taps = kernel.transpose(2, 0, 1, 3).reshape(channels, -1)
    products = lax.dot_general(x, taps, (((3,), (0,)), ((), ())), preferred_element_type=wide)
    half = side // 2
    padded = jnp.pad(products, ((0, 0), (half, half), (half, half), (0, 0)))

    def shifted(i: int, j: int) -> Array:
        first = (i * side + j) * features
        return padded[:, i : i + height, j : j + width, first : first + features]

    terms = [shifted(i, j) for i in range(side) for j in range(side)]
    return reduce(add, terms).astype(x.dtype)
