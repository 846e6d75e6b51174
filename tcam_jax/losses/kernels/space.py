"""The spatial part of the kernel as a short sum of products: smooth, so of low rank.

On an image of h x w pixels the Gaussian of the distance is `exp(-dy^2/2s^2) exp(-dx^2/2s^2)`. Each
factor is a matrix of h x h (w x w) whose eigenvalues fall quickly when s is not small beside the
image, so a handful of products of their eigenvectors give it back.
"""

import functools

import numpy as np
from jaxtyping import Float

from tcam_jax.runtime.errors import InputError

# Frobenius error of the spatial kernel. At 224 pixels and sigma 100: ranks 8 and 10.
TOLERANCE = {"default": 1e-2, "fine": 3.5e-3}
_MOST = 64


def spatial_basis(
    height: int, width: int, sigma_xy: float | None, accuracy: str
) -> Float[np.ndarray, "h w r"]:
    """Return Phi, with `sum_r Phi_r(p) Phi_r(q)` the spatial kernel of the pixels p and q.

    Args:
      height, width: of the image.
      sigma_xy: bandwidth, pixels; None: position does not count, and Phi is 1.
      accuracy: a key of `TOLERANCE`.

    Returns:
      float64, r as small as the tolerance allows.

    Raises:
      InputError: r would exceed 64: the bandwidth is too small for the image.
    """
    if sigma_xy is None:
        return np.ones((height, width, 1))
    rows, columns = _factors(height, width, float(sigma_xy), TOLERANCE[accuracy])
    return rows[:, None] * columns


@functools.lru_cache(maxsize=16)
def _factors(
    height: int, width: int, sigma: float, tolerance: float
) -> tuple[Float[np.ndarray, "h r"], Float[np.ndarray, "w r"]]:
    (row_values, row_vectors), (column_values, column_vectors) = (
        _eigen(height, sigma),
        _eigen(width, sigma),
    )
    products = np.outer(row_values, column_values).ravel()
    order = np.argsort(products)[::-1]
    squares = products[order] ** 2
    left_out = np.sqrt(np.append(squares[::-1].cumsum()[::-1], 0) / squares.sum())
    rank = int(np.argmax(left_out <= tolerance))
    if rank > _MOST:
        raise InputError(
            f"sigma_xy={sigma:g} pixels is too small for the CRF's grids on an image of "
            f"{height}x{width}: they would need {rank} spatial terms, at most {_MOST} are "
            'sensible. Raise sigma_xy, or choose backend="exact".'
        )
    a, b = np.unravel_index(order[:rank], (height, width))
    weights = np.sqrt(products[order[:rank]])
    return row_vectors[:, a] * weights, column_vectors[:, b]


def _eigen(size: int, sigma: float) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n n"]]:
    place = np.arange(size)
    values, vectors = np.linalg.eigh(np.exp(-(((place[:, None] - place) / sigma) ** 2) / 2))
    return np.maximum(values, 0), vectors  # rounding leaves tiny negative eigenvalues
