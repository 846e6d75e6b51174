"""Convolutions without bias, each in the form that is fast on a CPU."""

import jax
from flax.traverse_util import flatten_dict, unflatten_dict
from jax import lax
from jaxtyping import Array, Float, PyTree

from tcam_jax.models import plain
from tcam_jax.models.cpu import narrow, winograd
from tcam_jax.models.cpu.strided import product_over_pixels, strided

_COLOURS = 3  # of a frame
KERNEL_TERMS = "kernel_terms"  # a collection, see `models.tcam.for_inference`


def convolve(
    x: Float[Array, "b h w c"],
    kernel: Float[Array, "k l c d"],
    stride: int,
    terms: winograd.Grid | None = None,
) -> Float[Array, "b y x d"]:
    """Do the same as `models.plain.convolve`.

    Args:
      x, kernel, stride: as there.
      terms: those of the kernel, see `kernel_terms`; computed where they are needed and None.
    """
    if kernel.shape[:2] == (1, 1):
        # XLA convolves slower than that: ResNet50 at 224 px would take 1.12 times as long to run,
        # and 1.4 times as long to differentiate.
        return _product(x if stride == 1 else x[:, ::stride, ::stride], kernel[0, 0])
    if kernel.shape[:2] != (3, 3) or stride != 1 or kernel.shape[2] == _COLOURS:
        return strided(x, kernel, stride)
    if kernel.shape[3] <= narrow.MAX_FEATURES:
        return narrow.convolve(x, kernel)
    if winograd.pays(x.shape, kernel.shape[3], x.dtype, with_terms=terms is not None):
        return winograd.convolve(x, kernel, terms)
    return plain.convolve(x, kernel)


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
