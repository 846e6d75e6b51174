"""Convolutions without bias, each in the form that is fast where it runs.

Their parameter is that of `flax.linen.Conv`, "kernel" `[height, width, channels, features]`.
"""

from functools import partial

import flax.linen as nn
import jax
from flax.traverse_util import flatten_dict, unflatten_dict
from jax import lax
from jax.nn.initializers import Initializer
from jax.typing import DTypeLike
from jaxtyping import Array, Float, PyTree

from tcam_jax.models.cpu import winograd
from tcam_jax.models.cpu.direct import direct, product_over_pixels, strided

KERNEL_TERMS = "kernel_terms"  # a collection, see `models.tcam.for_inference`

# torchvision draws convolutions from a normal with variance 2 / fan_out.
_init_conv = nn.initializers.variance_scaling(2.0, "fan_out", "normal")


class PointwiseConv(nn.Module):
    """A 1x1 convolution, as one matrix product; off the CPU a strided one stays a convolution.

    On a CPU, XLA convolves slower than that: ResNet50 at 224 px would take 1.12 times as long to
    run, and 1.4 times as long to differentiate.

    Attributes:
      features, stride, dtype: as of `flax.linen.Conv`.
    """

    features: int
    stride: int
    dtype: DTypeLike

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b y x d"]:
        """Map `[b, h, w, c]` to `[b, h/stride, w/stride, features]`."""
        kernel = self.param("kernel", _init_conv, (1, 1, x.shape[-1], self.features))
        x, kernel = x.astype(self.dtype), kernel.astype(self.dtype)
        if self.stride == 1:
            return _product(x, kernel[0, 0])
        return lax.platform_dependent(
            x,
            kernel,
            cpu=partial(_strided_product, stride=self.stride),
            # On a product of strided rows XLA's compiler for GPUs aborts (jax 0.11.2, on an H100).
            default=partial(direct, stride=self.stride),
        )


def _strided_product(x: Array, kernel: Array, stride: int) -> Array:
    return _product(x[:, ::stride, ::stride], kernel[0, 0])


@jax.custom_vjp
def _product(x: Float[Array, "b h w c"], kernel: Float[Array, "c d"]) -> Float[Array, "b h w d"]:
    return lax.dot_general(x, kernel, (((3,), (0,)), ((), ())))


def _product_forward(x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    return _product(x, kernel), (x, kernel)


def _product_backward(residuals: tuple[Array, Array], cotangent: Array) -> tuple[Array, Array]:
    x, kernel = residuals
    of_input = lax.dot_general(cotangent, kernel, (((3,), (1,)), ((), ())))
    return of_input, product_over_pixels(x, cotangent)


_product.defvjp(_product_forward, _product_backward)


class Conv3x3(nn.Module):
    """A 3x3 convolution of stride 1, padded by 1: large ones on a CPU by `models.cpu.winograd`.

    Attributes:
      features, dtype, kernel_init: as of `flax.linen.Conv`.
    """

    features: int
    dtype: DTypeLike
    kernel_init: Initializer = _init_conv

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w d"]:
        """Map `[b, h, w, c]` to `[b, h, w, features]`."""
        kernel = self.param("kernel", self.kernel_init, (3, 3, x.shape[-1], self.features))
        x, kernel = x.astype(self.dtype), kernel.astype(self.dtype)
        terms = self.get_variable(KERNEL_TERMS, "kernel")
        if not winograd.pays(x.shape, self.features, x.dtype, with_terms=terms is not None):
            return direct(x, kernel)
        return winograd.convolve(x, kernel, terms)


def kernel_terms(params: PyTree) -> PyTree:
    """Return the Winograd terms of the 3x3 kernels that may be convolved so, each in its place."""
    kernels = {
        path: array
        for path, array in flatten_dict(params).items()
        if array.ndim == 4
        and array.shape[:2] == (3, 3)
        and min(array.shape[2:]) >= winograd.MIN_CHANNELS
    }
    transform = jax.jit(lambda kernels: [winograd.transform(kernel) for kernel in kernels])
    terms = transform(list(kernels.values()))
    return unflatten_dict(dict(zip(kernels, terms, strict=True)))


class StridedConv(nn.Module):
    """A convolution with a stride, padded by kernel_size // 2.

    Attributes:
      features, stride, dtype: as of `flax.linen.Conv`.
      kernel_size: height and width of the kernel.
    """

    features: int
    kernel_size: int
    stride: int
    dtype: DTypeLike

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b y x d"]:
        """Map `[b, h, w, c]` to `[b, h/stride, w/stride, features]`."""
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", _init_conv, shape)
        return strided(x.astype(self.dtype), kernel.astype(self.dtype), self.stride)


def conv(features: int, kernel: int, stride: int, *, dtype: DTypeLike, name: str) -> nn.Module:
    """Return a convolution padded by kernel // 2 on each side as torch does."""
    if kernel == 1:
        return PointwiseConv(features, stride, dtype, name=name)
    if kernel == 3 and stride == 1:
        return Conv3x3(features, dtype, name=name)
    return StridedConv(features, kernel, stride, dtype, name=name)
