"""The encoder's max-pooling, whose gradient goes by the remembered place of each maximum."""

from functools import reduce

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, UInt8


@jax.custom_vjp
def max_pool(x: Float[Array, "b h w c"]) -> Float[Array, "b y x c"]:
    """Do the same as `models.plain.max_pool`; XLA's gradient takes nine times as long."""
    return reduce(jnp.maximum, _windows(x))


def _windows(x: Array) -> list[Array]:
    """Return the nine terms of every window, row by row, each `[b, y, x, c]`."""
    height, width = ((size + 1) // 2 for size in x.shape[1:3])
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-jnp.inf)
    return [
        padded[:, i : i + 2 * height - 1 : 2, j : j + 2 * width - 1 : 2]
        for i in range(3)
        for j in range(3)
    ]


def _forward(x: Array) -> tuple[Array, tuple[UInt8[Array, "b y x c"], Array]]:
    windows = _windows(x)
    y = reduce(jnp.maximum, windows)
    first = jnp.full(y.shape, 8, jnp.uint8)
    for k in reversed(range(8)):
        first = jnp.where(windows[k] == y, jnp.uint8(k), first)
    return y, (first, jnp.empty((*x.shape[:3], 0), x.dtype))  # the second is only a shape


def _backward(residuals: tuple[Array, Array], cotangent: Array) -> tuple[Array]:
    first, shape = residuals
    b, y, x, c = cotangent.shape

    def received(i: int, j: int) -> Array:
        return jnp.where(first == 3 * i + j, cotangent, 0)

    # A pixel of even row 2 r lies in the middle row of window r; one of row 2 r + 1 in the last row
    # of window r and the first of r + 1. Columns likewise.
    by_column = [(received(1, j), received(2, j) + _next(received(0, j), axis=1)) for j in range(3)]
    rows = [jnp.stack([m, r + _next(l, axis=2)], 3) for l, m, r in zip(*by_column, strict=True)]
    pixels = jnp.stack(rows, 2).reshape(b, 2 * y, 2 * x, c)
    return (pixels[:, : shape.shape[1], : shape.shape[2]],)


def _next(x: Array, axis: int) -> Array:
    """Return x moved by one along `axis`: its second element first, zero last."""
    zeros = jnp.zeros_like(lax.slice_in_dim(x, 0, 1, axis=axis))
    return lax.concatenate([lax.slice_in_dim(x, 1, None, axis=axis), zeros], axis)


max_pool.defvjp(_forward, _backward)
