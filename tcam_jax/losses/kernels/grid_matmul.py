"""The dense Gaussian kernel by matrix products alone: for TPUs, and where every bit must repeat.

A colour c is described by `B(c) = k(c, z) K_zz^(-1/2)`, its kernel to n fixed levels z of the axis
(Nystroem's approximation on a regular grid: `B(c) B(c')^T` is nearly `k(c, c')`). The kernel of two
pixels is the product of the three axes and of the spatial basis, so with the Khatri-Rao products
`P = (B_red x Phi)` and `Q = (B_green x B_blue)` of each pixel's rows the filter is two matrix
products, `G = (P v)^T Q` and `(Q G^T) . P`, over tiles of pixels.
"""

import functools

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from tcam_jax.losses.kernels.space import spatial_basis

_SPACING = {"default": 1.0, "fine": 0.95}  # of the levels, in units of sigma_rgb, at most
_TILE = 1792  # pixels at a time: 28 tiles of a 224 x 224 image


def apply(
    image: Float[Array, "h w 3"],
    mask: Float[Array, "h w"],
    values: Float[Array, "h w"],
    sigma_rgb: float,
    sigma_xy: float | None,
    accuracy: str,
) -> tuple[Float[Array, ""], Float[Array, "h w"]]:
    """Return `mask^T A mask` and `A values`, see `kernels.energy`.

    Time and memory grow with the pixels (the tiles take about 6 MB); there is no scatter, gather
    or sort, and the error hardly depends on what the image shows.
    """
    height, width = values.shape
    pixels = height * width
    dtype = values.dtype
    levels, root = _levels(float(sigma_rgb), _SPACING[accuracy])
    basis = jnp.asarray(spatial_basis(height, width, sigma_xy, accuracy), dtype)
    both = jnp.stack([mask, values], axis=-1)

    tile = min(_TILE, pixels)
    tiles = -(-pixels // tile)

    def tiled(array: Array) -> Array:  # pixels added at the end have values of 0: they do nothing
        flat = array.reshape(pixels, -1)
        return jnp.pad(flat, ((0, tiles * tile - pixels), (0, 0))).reshape(tiles, tile, -1)

    colours, basis, both = tiled(image), tiled(basis), tiled(both)
    describe = functools.partial(
        _describe, levels=jnp.asarray(levels, dtype), root=jnp.asarray(root, dtype), sigma=sigma_rgb
    )

    def gather(total: Array, rows: tuple[Array, Array, Array]) -> tuple[Array, None]:
        left, right = describe(rows[0], rows[1])
        weighted = left[:, :, None] * rows[2][:, None]  # [tile, n * r, 2]
        return total + _product("pmc,pq->cmq", weighted, right), None

    n = len(levels)
    zero = jnp.zeros((2, n * basis.shape[-1], n * n), dtype)
    (from_mask, from_values), _ = lax.scan(gather, zero, (colours, basis, both))

    def spread(rows: tuple[Array, Array]) -> Array:
        left, right = describe(rows[0], rows[1])
        return (_product("pq,mq->pm", right, from_values) * left).sum(axis=-1)

    filtered = lax.map(spread, (colours, basis)).ravel()[:pixels].reshape(height, width)
    return jnp.vdot(from_mask, from_mask), filtered


# Products of three or more short mantissas: default ones would leave a random map's gradient 15 %
# off on a TPU.
_product = functools.partial(jnp.einsum, precision=lax.Precision.HIGH)


def _describe(
    colours: Float[Array, "tile 3"],
    basis: Float[Array, "tile r"],
    *,
    levels: Float[Array, " n"],
    root: Float[Array, "n n"],
    sigma: float,
) -> tuple[Float[Array, "tile n*r"], Float[Array, "tile n*n"]]:
    """Return (red x space) `[tile, n * r]` and (green x blue) `[tile, n * n]` of a tile."""
    kernel = jnp.exp(-(((colours[..., None] - levels) / sigma) ** 2) / 2)  # [tile, 3, n]
    described = jnp.einsum("pkn,nm->pkm", kernel, root, precision=lax.Precision.HIGHEST)
    red, green, blue = jnp.moveaxis(described, 1, 0)
    left = red[:, :, None] * basis[:, None]
    right = green[:, :, None] * blue[:, None]
    return left.reshape(len(colours), -1), right.reshape(len(colours), -1)


@functools.lru_cache(maxsize=16)
def _levels(
    sigma: float, spacing_in_sigmas: float
) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n n"]]:
    """The levels z `[n]` of an axis and `K_zz^(-1/2)` `[n, n]`, float64."""
    n = max(3, int(np.ceil(255 / (sigma * spacing_in_sigmas))) + 1)
    levels = np.linspace(0, 255, n)
    values, vectors = np.linalg.eigh(np.exp(-(((levels[:, None] - levels) / sigma) ** 2) / 2))
    return levels, vectors / np.sqrt(values) @ vectors.T
