"""The networks' convolution and max-pooling: in plain `lax`, or on a CPU by `models.cpu`."""

import flax.linen as nn
import jax.numpy as jnp
from jax.nn.initializers import Initializer
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from tcam_jax.models import cpu, plain
from tcam_jax.models.cpu import convolution, pooling

# torchvision draws convolutions from a normal with variance 2 / fan_out.
_init_conv = nn.initializers.variance_scaling(2.0, "fan_out", "normal")


class Conv(nn.Module):
    """A convolution without bias, padded by kernel_size // 2 on each side as torch does.

    Its parameter is that of `flax.linen.Conv`, "kernel" `[height, width, channels, features]`.

    Attributes:
      features, dtype, kernel_init: as of `flax.linen.Conv`.
      kernel_size: height and width of the kernel, odd.
      stride: in both directions.
    """

    features: int
    kernel_size: int
    stride: int = 1
    dtype: DTypeLike = jnp.float32
    kernel_init: Initializer = _init_conv

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b y x d"]:
        """Map `[b, h, w, c]` to `[b, h/stride, w/stride, features]`."""
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape)
        x, kernel = x.astype(self.dtype), kernel.astype(self.dtype)
        if cpu.chosen():
            terms = self.get_variable(convolution.KERNEL_TERMS, "kernel")
            return convolution.convolve(x, kernel, self.stride, terms)
        return plain.convolve(x, kernel, self.stride)


def max_pool(x: Float[Array, "b h w c"]) -> Float[Array, "b y x c"]:
    """Take the maximum of every 3x3 window, stride 2, padded by 1: the encoder's pooling."""
    return pooling.max_pool(x) if cpu.chosen() else plain.max_pool(x)
