"""XLA's convolution, and the gradients of kernels as matrix products on CPUs."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float


def direct(x: Float[Array, "b h w c"], kernel: Float[Array, "k k c d"], stride: int = 1) -> Array:
    """Convolve, padded by k // 2 on each side as torch does: `[b, h/stride, w/stride, d]`.

    "SAME" would pad strided layers on one side only at even sizes.
    """
    half = kernel.shape[0] // 2
    return lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        ((half, half), (half, half)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


# Both transpose, not differentiate: nothing of the forward pass is computed again.
def kernel_gradient(x: Array, cotangent: Array, kernel: Array, stride: int = 1) -> Array:
    """Return the gradient of the `kernel` of `direct`."""
    return jax.linear_transpose(lambda kernel: direct(x, kernel, stride), kernel)(cotangent)[0]


def input_gradient(kernel: Array, cotangent: Array, x: Array, stride: int = 1) -> Array:
    """Return the gradient of the input `x` of `direct`."""
    return jax.linear_transpose(lambda x: direct(x, kernel, stride), x)(cotangent)[0]


def product_over_pixels(x: Float[Array, "*b c"], cotangent: Float[Array, "*b d"]) -> Array:
    """Return the gradient `[c, d]` of the matrix that x's pixels were multiplied with."""
    # Apart, or a CPU transposes for the product while it computes batch norm's gradient, element by
    # element: a quarter of ResNet50's training step at 224 px.
    rows = x.reshape(-1, x.shape[-1]), cotangent.reshape(-1, cotangent.shape[-1])
    return lax.dot_general(*lax.optimization_barrier(rows), (((0,), (0,)), ((), ())))


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def strided(x: Float[Array, "b h w c"], kernel: Float[Array, "k k c d"], stride: int) -> Array:
    """Do the same as `direct`; the kernel's gradient takes half the time on a CPU."""
    return direct(x, kernel, stride)


def _forward(x: Any, kernel: Any, stride: int) -> tuple[Array, tuple[Array, Array, tuple | None]]:
    # A tuple says that x has a gradient: of frames nobody computes one.
    residuals = x.value, kernel.value, () if x.perturbed else None
    return direct(x.value, kernel.value, stride), residuals


def _backward(stride: int, residuals: tuple, cotangent: Array) -> tuple[Array | None, Array]:
    x, kernel, perturbed = residuals

    kernels = lax.platform_dependent(
        x,
        cotangent,
        cpu=partial(_by_rows, side=kernel.shape[0], stride=stride),
        default=partial(kernel_gradient, kernel=kernel, stride=stride),
    )
    if perturbed is None:
        return None, kernels
    return input_gradient(kernel, cotangent, x, stride), kernels


strided.defvjp(_forward, _backward, symbolic_zeros=True)


def _by_rows(x: Array, cotangent: Array, side: int, stride: int) -> Array:
    """Multiply what each row of the kernel sees, side by side, with the cotangent."""
    _, height, width, features = cotangent.shape
    half = side // 2
    padded = jnp.pad(x, ((0, 0), (half, half), (half, half), (0, 0)))
    last_row, last_column = stride * (height - 1) + 1, stride * (width - 1) + 1
    rows = []
    for i in range(side):
        row = padded[:, i : i + last_row : stride]
        seen = [row[:, :, j : j + last_column : stride] for j in range(side)]
        rows.append(product_over_pixels(jnp.concatenate(seen, -1), cotangent))
    return jnp.stack(rows).reshape(side, side, -1, features)
