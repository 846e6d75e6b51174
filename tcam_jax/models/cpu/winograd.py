"""3x3 convolutions by Winograd's minimal filtering F(2x2, 3x3).

Four outputs of a 3x3 kernel take 16 products instead of 36. As 16 matrix products, large layers of
ResNet50 at 224 px run up to twice as fast on a CPU as XLA's convolution, and the gradients of their
kernels up to six times (docs/performance.md). Results differ from a convolution's by some units in
float32's last places.

Source: Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016, section 4.1.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import export, lax
from jax.custom_derivatives import custom_vjp_primal_tree_values
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from tcam_jax.models import plain
from tcam_jax.models.cpu.strided import input_gradient

Grid = Sequence[Sequence[Array]]  # terms by row and column of a tile

# Below these, transforming the tiles and the kernel costs what the products save; XLA's gradients
# of the kernel are so slow that fewer channels suffice (measured).
MIN_CHANNELS = 48
_MIN_CHANNELS_OF_KERNEL_GRADIENT = 32
_MIN_PIXELS = 700  # of the whole batch
_MIN_PIXELS_WITH_TERMS = 100  # where the kernel's are at hand
# More are worked on one group of images after the other: out of the caches, the work would wait
# for memory.
_MAX_TILE_BYTES = 2**24


def pays(shape: Sequence[Any], features: int, dtype: DTypeLike, with_terms: bool) -> bool:
    """Tell whether to convolve `[b, h, w, c]` to `features` channels in this way.

    Only in float32: the sums of tiles would cost bfloat16 too many of its digits. An exported
    program, whose batch may be any, is taken to be called with one image.
    """
    batch, height, width, channels = shape
    pixels = height * width * (1 if export.is_symbolic_dim(batch) else batch)
    enough = pixels >= (_MIN_PIXELS_WITH_TERMS if with_terms else _MIN_PIXELS)
    wide = min(channels, features) >= _MIN_CHANNELS_OF_KERNEL_GRADIENT
    return enough and wide and dtype == jnp.float32


def transform(kernel: Float[Array, "3 3 c d"]) -> Grid:
    """Return the 4x4 terms of a kernel, each `[c, d]`: what `convolve` computes of it."""
    return _both_axes(_kernel, kernel)


@jax.custom_vjp
def convolve(
    x: Float[Array, "b h w c"], kernel: Float[Array, "3 3 c d"], terms: Grid | None = None
) -> Float[Array, "b h w d"]:
    """Convolve `x` with a 3x3 `kernel`, stride 1, zeros beyond the border.

    Of the kernel's `terms`, where they are at hand, nothing is computed.
    """
    if min(kernel.shape[2:]) < MIN_CHANNELS:
        return plain.convolve(x, kernel)
    return _filter(x, transform(kernel) if terms is None else terms, contracted=0)


def _forward(x: Any, kernel: Any, terms: Any) -> tuple[Array, tuple]:
    terms = custom_vjp_primal_tree_values(terms)
    # A tuple says that x has a gradient: of constant features nobody computes one.
    residuals = x.value, kernel.value, terms, () if x.perturbed else None
    return convolve(x.value, kernel.value, terms), residuals


def _backward(residuals: tuple, cotangent: Array) -> tuple[Array | None, Array, None]:
    x, kernel, terms, perturbed = residuals
    kernels = _kernel_gradient(x, cotangent)
    if perturbed is None:
        return None, kernels, None
    if min(kernel.shape[2:]) < MIN_CHANNELS:
        return input_gradient(kernel, cotangent, x), kernels, None
    inputs = _input_gradient(transform(kernel) if terms is None else terms, cotangent)
    return inputs, kernels, None


convolve.defvjp(_forward, _backward, symbolic_zeros=True)


def _input_gradient(terms: Grid, cotangent: Array) -> Array:
    # Turning a kernel by half a turn swaps the first and the last row and column of its tile.
    turned = [[row[j] for j in (3, 1, 2, 0)] for row in terms]
    return _filter(cotangent, [turned[i] for i in (3, 1, 2, 0)], contracted=1)


def _filter(x: Array, kernel_terms: Grid, contracted: int) -> Array:
    """Multiply x's tiles by the kernel's over its axis `contracted`, and sum up the outputs."""
    kernel_terms = lax.optimization_barrier(kernel_terms)
    features = kernel_terms[0][0].shape[1 - contracted]

    def of_group(x: Array) -> Array:
        b, height, width, _ = x.shape
        rows, columns = (height + 1) // 2, (width + 1) // 2
        products = [
            [
                lax.dot_general(a, u, (((3,), (contracted,)), ((), ())))
                for a, u in zip(*row, strict=True)
            ]
            for row in zip(_input_tiles(x), kernel_terms, strict=True)
        ]
        outputs = jnp.stack([jnp.stack(row, 3) for row in _both_axes(_output, products)], 2)
        return outputs.reshape(b, 2 * rows, 2 * columns, features)[:, :height, :width]

    return lax.map(of_group, _grouped(x, features)).reshape(*x.shape[:3], features)


def _kernel_gradient(x: Array, cotangent: Array) -> Array:
    channels, features = x.shape[3], cotangent.shape[3]

    def add_group(sums: Grid, group: tuple[Array, Array]) -> tuple[Grid, None]:
        x, cotangent = group
        _, height, width, _ = cotangent.shape
        even = jnp.pad(cotangent, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)))
        planes = [[even[:, i::2, j::2] for j in range(2)] for i in range(2)]
        # Apart, or the transposition that the product needs is done element by element.
        inputs, outputs = lax.optimization_barrier(
            (_flat(_input_tiles(x)), _flat(_both_axes(_output_transposed, planes)))
        )
        return [
            [
                total + lax.dot_general(a, b, (((0,), (0,)), ((), ())))
                for total, a, b in zip(*row, strict=True)
            ]
            for row in zip(sums, inputs, outputs, strict=True)
        ], None

    groups = _grouped(x, features), _grouped(cotangent, channels)
    zeros = [[jnp.zeros((channels, features), x.dtype)] * 4] * 4
    products, _ = lax.scan(add_group, zeros, groups)
    return jnp.stack([jnp.stack(row) for row in _both_axes(_kernel_transposed, products)])


def _grouped(x: Array, others: int) -> Array:
    """Return `x [b, h, w, c]` as `[groups, b / groups, h, w, c]`, for tiles also of `others`."""
    b, height, width, channels = x.shape
    if export.is_symbolic_dim(b):
        return x[:, None]
    image = 4 * x.dtype.itemsize * height * width * max(channels, others)
    least = -(-b * image // _MAX_TILE_BYTES)
    groups = next(n for n in range(min(least, b), b + 1) if b % n == 0)
    return x.reshape(groups, b // groups, height, width, channels)


def _input_tiles(x: Array) -> Grid:
    """Return the 4x4 transformed terms of the overlapping tiles, each `[b, rows, columns, c]`."""
    _, height, width, _ = x.shape
    rows, columns = (height + 1) // 2, (width + 1) // 2
    padded = jnp.pad(x, ((0, 0), (1, 1 + height % 2), (1, 1 + width % 2), (0, 0)))
    planes = [
        [padded[:, i : i + 2 * rows - 1 : 2, j : j + 2 * columns - 1 : 2] for j in range(4)]
        for i in range(4)
    ]
    return _both_axes(_input, planes)


def _flat(grid: Grid) -> Grid:
    return [[term.reshape(-1, term.shape[-1]) for term in row] for row in grid]


def _both_axes(transform: Callable[..., tuple], grid: Grid | Array) -> Grid:
    """Transform the columns of a tile's terms, then the rows."""
    columns = [transform(*column) for column in zip(*grid, strict=True)]
    return [transform(*row) for row in zip(*columns, strict=True)]


# The paper's matrices B^T, G and A^T, and the transposes of the last two.
def _input(a: Array, b: Array, c: Array, d: Array) -> tuple:
    return a - c, b + c, c - b, b - d


def _kernel(a: Array, b: Array, c: Array) -> tuple:
    return a, (a + b + c) / 2, (a - b + c) / 2, c


def _output(a: Array, b: Array, c: Array, d: Array) -> tuple:
    return a + b + c, b - c - d


def _kernel_transposed(a: Array, b: Array, c: Array, d: Array) -> tuple:
    return a + (b + c) / 2, (b - c) / 2, (b + c) / 2 + d


def _output_transposed(a: Array, b: Array) -> tuple:
    return a, a + b, a - b, -b
