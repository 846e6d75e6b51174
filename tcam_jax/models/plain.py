"""Convolution and max-pooling in `lax`'s own operations: what GPUs and TPUs compute."""

from typing import Literal

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float


def convolve(
    x: Float[Array, "b h w c"],
    kernel: Float[Array, "k l c d"],
    stride: int = 1,
    padding: Literal["SAME", "VALID"] | None = None,
) -> Float[Array, "b y x d"]:
    """Convolve, padded by half the kernel as torch does: `[b, h/stride, w/stride, d]`.

    "SAME", TensorFlow's, pads strided layers at even sizes on the right and at the bottom only;
    "VALID" pads nothing.
    """
    if kernel.shape[:2] == (1, 1) and stride == 1:
        return lax.dot_general(x, kernel[0, 0], (((3,), (0,)), ((), ())))
    # Also where the kernel is 1x1: on a product of strided rows XLA's compiler for GPUs aborts
    # (jax 0.11.2, on an H100).
    return lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        padding or [(side // 2, side // 2) for side in kernel.shape[:2]],
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def convolve_depthwise(
    x: Float[Array, "b h w c"], kernel: Float[Array, "k k 1 c"], stride: int, dilation: int
) -> Float[Array, "b y x c"]:
    """Convolve each channel by itself, padded as TensorFlow's "SAME"."""
    return lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        "SAME",
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1],
    )


def max_pool(
    x: Float[Array, "b h w c"], stride: int = 2, padding: Literal["VALID"] | None = None
) -> Float[Array, "b y x c"]:
    """Take the maximum of every 3x3 window, padded by 1 with -inf, or by nothing if "VALID".

    Its gradient goes to a window's first maximum, row by row, as torch's does.
    """
    return lax.reduce_window(
        x,
        -jnp.inf,
        lax.max,
        (1, 3, 3, 1),
        (1, stride, stride, 1),
        padding or ((0, 0), (1, 1), (1, 1), (0, 0)),
    )


def halve_by_maximum(x: Float[Array, "b h w c"]) -> Float[Array, "b y x c"]:
    """Take the maximum of every 2x2 window, stride 2; gradient as of `max_pool`."""
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
