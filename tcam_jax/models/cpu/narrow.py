"""Convolutions to few channels, as one matrix product and a sum of its shifted parts.

XLA's convolution takes up to four times as long there, its gradients two to ten times.
"""

from functools import reduce
from operator import add

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from tcam_jax.models.cpu.strided import product_over_pixels

MAX_FEATURES = 4


@jax.custom_vjp
def convolve(
    x: Float[Array, "b h w c"], kernel: Float[Array, "k k c d"]
) -> Float[Array, "b h w d"]:
    """Do the same as `models.plain.convolve`, stride 1."""
    features = kernel.shape[3]
    wide = jnp.promote_types(x.dtype, jnp.float32)  # for the sum
    products = lax.dot_general(
        x, _taps(kernel), (((3,), (0,)), ((), ())), preferred_element_type=wide
    )
    seen = [
        part[..., n * features : (n + 1) * features]
        for n, part in enumerate(_shifted(products, kernel.shape[0]))
    ]
    # Apart, or it would be computed again for every use.
    return lax.optimization_barrier(reduce(add, seen)).astype(x.dtype)


def _forward(x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    return convolve(x, kernel), (x, kernel)


def _backward(residuals: tuple[Array, Array], cotangent: Array) -> tuple[Array, Array]:
    x, kernel = residuals
    side, _, channels, features = kernel.shape
    # What each of the products has gone to: the shifts the other way round.
    parts = _shifted(lax.optimization_barrier(cotangent), side)[::-1]
    of_products = jnp.concatenate(parts, -1)
    of_input = lax.dot_general(of_products, _taps(kernel), (((3,), (1,)), ((), ())))
    of_taps = product_over_pixels(x, of_products)
    return of_input, of_taps.reshape(channels, side, side, features).transpose(1, 2, 0, 3)


convolve.defvjp(_forward, _backward)


def _taps(kernel: Array) -> Array:
    """Return the kernel as a matrix `[c, k * k * d]`."""
    return kernel.transpose(2, 0, 1, 3).reshape(kernel.shape[2], -1)


def _shifted(x: Array, side: int) -> list[Array]:
    """Return what each place of a kernel sees of `[b, h, w, c]`, row by row, each as large."""
    height, width = x.shape[1:3]
    half = side // 2
    padded = jnp.pad(x, ((0, 0), (half, half), (half, half), (0, 0)))
    places = ((i, j) for i in range(side) for j in range(side))
    return [padded[:, i : i + height, j : j + width] for i, j in places]
