"""The dense Gaussian kernel on a colour grid, written and read by trilinear interpolation.

For each of the r products of the spatial basis, a pixel adds `Phi_r(p) v(p)` to the eight grid
points around its colour; the grid is multiplied by a dense matrix along each colour axis; pixels
read it back in the same way. The approximation is symmetric, so what is returned as the gradient is
the gradient of what is returned as the value.
"""

import functools
import itertools

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from tcam_jax.losses.kernels.space import spatial_basis

SPACING = {"default": 1 / 2, "fine": 1 / 3}  # of the grid, in units of sigma_rgb
_CORNERS = tuple(itertools.product((0, 1), repeat=3))


def apply(
    image: Float[Array, "h w 3"],
    mask: Float[Array, "h w"],
    values: Float[Array, "h w"],
    sigma_rgb: float,
    sigma_xy: float | None,
    accuracy: str,
) -> tuple[Float[Array, ""], Float[Array, "h w"]]:
    """Return `mask^T A mask` and `A values`, see `kernels.energy`.

    Time and memory grow with the pixels (about 20 MB at 224 x 224).
    """
    height, width = values.shape
    dtype = values.dtype
    spacing, fitted = colour_axis(float(sigma_rgb), SPACING[accuracy])
    matrix = jnp.asarray(fitted, dtype)
    size = matrix.shape[0]
    space = spatial_basis(height, width, sigma_xy, accuracy)
    basis = jnp.asarray(space, dtype).reshape(height * width, -1)

    place = image.reshape(-1, 3) / spacing
    cell = jnp.clip(jnp.floor(place).astype(jnp.int32), 0, size - 2)
    upper = place - cell
    weights = jnp.stack([1 - upper, upper], axis=1)  # [p, 2, 3]
    weights = (
        weights[:, :, None, None, 0] * weights[:, None, :, None, 1] * weights[:, None, None, :, 2]
    )
    # Interpolation weighs a colour on a grid point more than one between two: flat regions would be
    # up to 13 % off. Dividing by the root of a colour's kernel with itself makes that kernel 1.
    lower_self, upper_self = matrix.diagonal()[cell], matrix.diagonal()[cell + 1]
    own = lower_self * (1 - upper) ** 2 + upper_self * upper**2
    own = own + 2 * matrix.diagonal(1)[cell] * upper * (1 - upper)  # [p, 3]
    basis = basis * lax.rsqrt(own.prod(axis=-1, keepdims=True))
    cell_number = (cell[:, 0] * size + cell[:, 1]) * size + cell[:, 2]

    def write(channel: Array) -> Array:
        contributions = basis * channel.ravel()[:, None]
        points = jnp.zeros((size**3, basis.shape[1]), dtype)
        for a, b, c in _CORNERS:  # one corner at a time needs an eighth of the memory
            points = points.at[cell_number + (a * size + b) * size + c].add(
                weights[:, a, b, c, None] * contributions, mode="promise_in_bounds"
            )
        return points.reshape(size, size, size, -1)

    masked = write(mask)
    quadratic = jnp.vdot(masked, _blur(matrix, masked))
    filtered = _read(cell, weights, _blur(matrix, write(values)))
    return quadratic, (filtered * basis).sum(axis=-1).reshape(height, width)


def _blur(matrix: Float[Array, "n n"], grid: Float[Array, "n n n r"]) -> Float[Array, "n n n r"]:
    """Multiply by the matrix along each of the three colour axes."""
    n = matrix.shape[0]
    product = functools.partial(jnp.einsum, precision=lax.Precision.HIGHEST)
    grid = product("ax,xq->aq", matrix, grid.reshape(n, -1))
    grid = product("by,ayq->abq", matrix, grid.reshape(n, n, -1))
    return product("cz,abzr->abcr", matrix, grid.reshape(n, n, n, -1))


def _read(
    cell: Int[Array, "p 3"], weights: Float[Array, "p 2 2 2"], grid: Float[Array, "n n n r"]
) -> Float[Array, "p r"]:
    """Interpolate the grid `[n, n, n, r]` at the pixels' colours: `[p, r]`."""
    corners = lax.gather(
        grid,
        cell,
        lax.GatherDimensionNumbers(
            offset_dims=(1, 2, 3, 4), collapsed_slice_dims=(), start_index_map=(0, 1, 2)
        ),
        slice_sizes=(2, 2, 2, grid.shape[-1]),
        mode=lax.GatherScatterMode.PROMISE_IN_BOUNDS,
    )
    return jnp.einsum("pabcr,pabc->pr", corners, weights, precision=lax.Precision.HIGHEST)


@functools.lru_cache(maxsize=16)
def colour_axis(sigma: float, spacing_in_sigmas: float) -> tuple[float, Float[np.ndarray, "n n"]]:
    """Spacing in levels, and the matrix `[n, n]` between grid points of one colour axis.

    Not the Gaussian between the points: interpolation blurs too. The matrix is the least-squares
    fit, over all pairs of levels, of the interpolated kernel to the Gaussian; on an axis extended
    beyond 0..255, so that its ends are no special case.
    """
    cells = max(1, round(255 / (sigma * spacing_in_sigmas)))
    spacing = 255 / cells
    points = cells + 1
    beyond = int(np.ceil(3 * sigma / spacing))
    extended = points + 2 * beyond
    place = np.linspace(0, extended - 1, 16 * (extended - 1) + 1)
    lower = np.minimum(place.astype(int), extended - 2)
    interpolation = np.zeros((len(place), extended))
    rows = np.arange(len(place))
    interpolation[rows, lower] = 1 - (place - lower)
    interpolation[rows, lower + 1] = place - lower
    kernel = np.exp(-(((place[:, None] - place) * spacing / sigma) ** 2) / 2)
    inverse = np.linalg.pinv(interpolation)
    inside = slice(beyond, beyond + points)
    return spacing, (inverse @ kernel @ inverse.T)[inside, inside]
