"""Depthwise convolutions as sums of shifted products, and their gradients.

XLA's grouped convolution takes 10 to 40 times as long on a CPU. Each sum stands between barriers:
fused with what is around it, it would be computed again for every use, and compiled for minutes.
"""

from collections.abc import Iterator
from functools import partial, reduce
from operator import add

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def convolve(
    x: Float[Array, "b h w c"], kernel: Float[Array, "k k 1 c"], stride: int, dilation: int
) -> Float[Array, "b y x c"]:
    """Do the same as `models.plain.convolve_depthwise`."""
    wide = jnp.promote_types(x.dtype, jnp.float32)  # for the sum
    pads = _pads(x.shape, kernel.shape[0], stride, dilation)
    padded = lax.optimization_barrier(jnp.pad(x.astype(wide), ((0, 0), *pads, (0, 0))))
    size = tuple(-(-side // stride) for side in x.shape[1:3])
    return _sum(padded, kernel.astype(wide), stride, dilation, size).astype(x.dtype)


def _forward(
    x: Array, kernel: Array, stride: int, dilation: int
) -> tuple[Array, tuple[Array, Array]]:
    return convolve(x, kernel, stride, dilation), (x, kernel)


def _backward(
    stride: int, dilation: int, residuals: tuple[Array, Array], cotangent: Array
) -> tuple[Array, Array]:
    x, kernel = residuals
    wide = jnp.promote_types(x.dtype, jnp.float32)
    side, pads = kernel.shape[0], _pads(x.shape, kernel.shape[0], stride, dilation)
    cotangent = cotangent.astype(wide)
    # The input's: the mirrored kernel over the cotangent, zeros between where the stride was.
    reach = (side - 1) * dilation
    spread = [
        (reach - before, length + reach - (reach - before) - (stride * (rows - 1) + 1), stride - 1)
        for (before, _), length, rows in zip(pads, x.shape[1:3], cotangent.shape[1:3], strict=True)
    ]
    spaced = lax.pad(cotangent, jnp.zeros((), wide), ((0, 0, 0), *spread, (0, 0, 0)))
    mirrored = kernel[::-1, ::-1].astype(wide)
    of_input = _sum(lax.optimization_barrier(spaced), mirrored, 1, dilation, x.shape[1:3])

    padded = lax.optimization_barrier(jnp.pad(x.astype(wide), ((0, 0), *pads, (0, 0))))
    taps = _taps(padded, side, stride, dilation, cotangent.shape[1:3])
    of_kernel = jnp.stack([(seen * cotangent).sum((0, 1, 2)) for _, _, seen in taps])
    of_kernel = of_kernel.reshape(kernel.shape)
    return of_input.astype(x.dtype), of_kernel.astype(kernel.dtype)


convolve.defvjp(_forward, _backward)


def _pads(shape: tuple[int, ...], side: int, stride: int, dilation: int) -> list[tuple[int, int]]:
    window = ((side - 1) * dilation + 1,) * 2
    return lax.padtype_to_pads(shape[1:3], window, (stride, stride), "SAME")


def _taps(
    padded: Array, side: int, stride: int, dilation: int, size: tuple[int, ...]
) -> Iterator[tuple[int, int, Array]]:
    """Yield each place of the kernel with what it sees, `[b, *size, c]`."""
    last_row, last_column = (stride * (length - 1) + 1 for length in size)
    for i in range(side):
        for j in range(side):
            row, column = i * dilation, j * dilation
            rows = padded[:, row : row + last_row : stride]
            yield i, j, rows[:, :, column : column + last_column : stride]


def _sum(padded: Array, kernel: Array, stride: int, dilation: int, size: tuple[int, ...]) -> Array:
    taps = _taps(padded, kernel.shape[0], stride, dilation, size)
    return lax.optimization_barrier(reduce(add, (seen * kernel[i, j, 0] for i, j, seen in taps)))
