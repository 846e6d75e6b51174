"""The networks' convolution and max-pooling: in plain `lax`, or on a CPU by `models.cpu`.

Anywhere else a convolution and a batch norm of running statistics are one convolution with a bias:
compilers make that, the ReLU and the residual sum behind it one kernel, where the passes over its
output would each wait for memory.
"""

from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
from jax.nn.initializers import Initializer
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from tcam_jax.models import cpu, plain
from tcam_jax.models.batch_norm import BatchNorm
from tcam_jax.models.cpu import convolution, depthwise, pooling

# torchvision draws convolutions from a normal with variance 2 / fan_out.
_init_conv = nn.initializers.variance_scaling(2.0, "fan_out", "normal")
# The same, of a channel by itself: fan_out is the kernel's places.
_init_depthwise = nn.initializers.variance_scaling(2.0, "fan_in", "normal")


class Conv(nn.Module):
    """A convolution, by default padded by half the kernel's size on each side as torch does.

    Its parameters are those of `flax.linen.Conv`: "kernel" `[height, width, channels, features]`,
    and "bias" `[features]` if it has one.

    Attributes:
      features, dtype, kernel_init: as of `flax.linen.Conv`.
      kernel_size: height and width of the kernel, odd; one number for both.
      stride: in both directions.
      padding: None as above, "SAME" of TensorFlow, or "VALID": none.
      use_bias: batch norm has its own.
    """

    features: int
    kernel_size: int | tuple[int, int]
    stride: int = 1
    padding: Literal["SAME", "VALID"] | None = None
    use_bias: bool = False
    dtype: DTypeLike = jnp.float32
    kernel_init: Initializer = _init_conv

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], factor: Float[Array, " d"] | None = None
    ) -> Float[Array, "b y x d"]:
        """Map `[b, h, w, c]` to `[b, h/stride, w/stride, features]`, to less if "VALID".

        `factor` is of each feature, but for the bias.
        """
        size = self.kernel_size
        height, width = (size, size) if isinstance(size, int) else size
        shape = (height, width, x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape)
        if factor is not None:
            kernel = kernel * factor
        x, kernel = x.astype(self.dtype), kernel.astype(self.dtype)
        if cpu.chosen() and self.padding is None:
            terms = self.get_variable(convolution.KERNEL_TERMS, "kernel")
            y = convolution.convolve(x, kernel, self.stride, terms)
        else:
            y = plain.convolve(x, kernel, self.stride, self.padding)
        if self.use_bias:
            y += self.param("bias", nn.initializers.zeros, (self.features,)).astype(self.dtype)
        return y


class DepthwiseConv(nn.Module):
    """A convolution of each channel by itself, without bias, padded as TensorFlow's "SAME".

    Its parameter is that of `flax.linen.Conv`, "kernel" `[height, width, 1, channels]`.

    Attributes:
      kernel_size, stride: as of `Conv`.
      dilation: pixels from one tap to the next.
      dtype: as of `Conv`.
    """

    kernel_size: int
    stride: int = 1
    dilation: int = 1
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], factor: Float[Array, " c"] | None = None
    ) -> Float[Array, "b y x c"]:
        """Map `[b, h, w, c]` to `[b, ceil(h / stride), ceil(w / stride), c]`; `factor` as above."""
        shape = (self.kernel_size, self.kernel_size, 1, x.shape[-1])
        kernel = self.param("kernel", _init_depthwise, shape)
        if factor is not None:
            kernel = kernel * factor
        x, kernel = x.astype(self.dtype), kernel.astype(self.dtype)
        convolve = depthwise.convolve if cpu.chosen() else plain.convolve_depthwise
        return convolve(x, kernel, self.stride, self.dilation)


def normalised(
    x: Float[Array, "b h w c"], convolution: Conv | DepthwiseConv, norm: BatchNorm
) -> Float[Array, "b y x d"]:
    """Return `norm(convolution(x))`; see the module for where it is one convolution."""
    if cpu.chosen() or norm.train or norm.is_initializing():
        return norm(convolution(x))
    factor, offset = norm.affine()
    return convolution(x, factor) + offset.astype(norm.dtype)


def max_pool(
    x: Float[Array, "b h w c"], stride: int = 2, padding: Literal["VALID"] | None = None
) -> Float[Array, "b y x c"]:
    """Take the maximum of every 3x3 window, padded by 1 or, if "VALID", not at all."""
    if cpu.chosen() and stride == 2 and padding is None:
        return pooling.max_pool(x)
    return plain.max_pool(x, stride, padding)


def halve_by_maximum(x: Float[Array, "b h w c"]) -> Float[Array, "b y x c"]:
    """Take the maximum of every 2x2 window, stride 2; an odd last row is left out, as by torch."""
    return pooling.halve(x) if cpu.chosen() else plain.halve_by_maximum(x)
