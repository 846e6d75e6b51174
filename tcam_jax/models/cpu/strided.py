"""Convolutions with a stride, of frames, or of kernels other than 3x3: gradients are products."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from tcam_jax.models import plain


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def strided(x: Float[Array, "b h w c"], kernel: Float[Array, "k l c d"], stride: int) -> Array:
    """Do the same as `models.plain.convolve`; the kernel's gradient takes half the time."""
    return plain.convolve(x, kernel, stride)


def _forward(x: Any, kernel: Any, stride: int) -> tuple[Array, tuple[Array, Array, tuple | None]]:
    # A tuple says that x has a gradient: of frames nobody computes one.
    residuals = x.value, kernel.value, () if x.perturbed else None
    return plain.convolve(x.value, kernel.value, stride), residuals


def _backward(stride: int, residuals: tuple, cotangent: Array) -> tuple[Array | None, Array]:
    x, kernel, perturbed = residuals
    kernels = _by_rows(x, cotangent, kernel.shape[:2], stride)
    if perturbed is None:
        return None, kernels
    return input_gradient(kernel, cotangent, x, stride), kernels


strided.defvjp(_forward, _backward, symbolic_zeros=True)


def _by_rows(x: Array, cotangent: Array, size: tuple[int, int], stride: int) -> Array:
    """Multiply what each row of the kernel sees, side by side, with the cotangent."""
    _, height, width, features = cotangent.shape
    top, left = (side // 2 for side in size)
    padded = jnp.pad(x, ((0, 0), (top, top), (left, left), (0, 0)))
    last_row, last_column = stride * (height - 1) + 1, stride * (width - 1) + 1
    rows = []
    for i in range(size[0]):
        row = padded[:, i : i + last_row : stride]
        seen = [row[:, :, j : j + last_column : stride] for j in range(size[1])]
        rows.append(product_over_pixels(jnp.concatenate(seen, -1), cotangent))
    return jnp.stack(rows).reshape(*size, -1, features)


def product_over_pixels(x: Float[Array, "*b c"], cotangent: Float[Array, "*b d"]) -> Array:
    """Return the gradient `[c, d]` of the matrix that x's pixels were multiplied with."""
    # Apart, or a CPU transposes for the product while it computes batch norm's gradient, element by
    # element: a quarter of ResNet50's training step at 224 px.
    rows = x.reshape(-1, x.shape[-1]), cotangent.reshape(-1, cotangent.shape[-1])
    return lax.dot_general(*lax.optimization_barrier(rows), (((0,), (0,)), ((), ())))


def input_gradient(kernel: Array, cotangent: Array, x: Array, stride: int = 1) -> Array:
    """Return the gradient of the input `x` of `models.plain.convolve`."""
    # Transposed, not differentiated: nothing of the forward pass is computed again.
    convolve = lambda x: plain.convolve(x, kernel, stride)  # noqa: E731
    return jax.linear_transpose(convolve, x)(cotangent)[0]
