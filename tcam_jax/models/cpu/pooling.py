"""The encoders' max-pooling, whose gradient goes by the remembered place of each maximum."""

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
    # The second is only a shape.
    return y, (_first(windows, y), jnp.empty((*x.shape[:3], 0), x.dtype))


def _first(terms: list[Array], y: Array) -> UInt8[Array, "b y x c"]:
    """Return the number of the first term that is the maximum y."""
    last = len(terms) - 1
    first = jnp.full(y.shape, last, jnp.uint8)
    for k in reversed(range(last)):
        first = jnp.where(terms[k] == y, jnp.uint8(k), first)
    return first


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


@jax.custom_vjp
def halve(x: Float[Array, "b h w c"]) -> Float[Array, "b y x c"]:
    """Do the same as `models.plain.halve_by_maximum`; XLA's gradient takes eight times as long."""
    return reduce(jnp.maximum, _quarters(x))


def _quarters(x: Array) -> list[Array]:
    """Return the four terms of every window, row by row, each `[b, y, x, c]`."""
    height, width = (size // 2 * 2 for size in x.shape[1:3])
    return [x[:, i:height:2, j:width:2] for i in range(2) for j in range(2)]


def _halve_forward(x: Array) -> tuple[Array, tuple[UInt8[Array, "b y x c"], Array]]:
    quarters = _quarters(x)
    y = reduce(jnp.maximum, quarters)
    return y, (_first(quarters, y), jnp.empty((*x.shape[:3], 0), x.dtype))


def _halve_backward(residuals: tuple[Array, Array], cotangent: Array) -> tuple[Array]:
    first, shape = residuals
    b, y, x, c = cotangent.shape
    received = [jnp.where(first == k, cotangent, 0) for k in range(4)]
    rows = [jnp.stack(received[:2], 3), jnp.stack(received[2:], 3)]
    pixels = jnp.stack(rows, 2).reshape(b, 2 * y, 2 * x, c)
    odd = [(0, size % 2) for size in shape.shape[1:3]]
    return (jnp.pad(pixels, ((0, 0), *odd, (0, 0))),)


halve.defvjp(_halve_forward, _halve_backward)
