"""How far an encoder shows things from where they are, found from frames turned upside down.

Strides, one-sided padding and learned kernels move what a CAM shows, in all frames alike: by half a
place of the features and more. Classification does not mind; boxes do. A network that shows things
d pixels too low does so in a frame turned by 180 degrees as well, which is d too high once the map
is turned back: the two maps lie 2 d apart, whatever is in the frame.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

# Farther than this share of the map no encoder moves things: such a peak would be chance.
_FARTHEST = 0.125


class Displacement(NamedTuple):
    """How far things are shown from where they are, as a share of the map's sides.

    Attributes:
      down: positive where they are shown too low.
      right: positive where they are shown too far right.
    """

    down: float
    right: float


def correlation(
    maps: Float[Array | np.ndarray, "b h w"], turned_back: Float[Array | np.ndarray, "b h w"]
) -> Float[Array, "h w"]:
    """Add up how well each map fits that of the turned frame at every shift between the two.

    Args:
      maps: of frames as they are.
      turned_back: of the same frames turned by 180 degrees, the maps turned back.

    Returns:
      Sum over the maps of the circular cross-correlation, each map with mean 0 and norm 1; at
      `[y, x]` that of `maps` against `turned_back` moved by (y, x). A constant map adds nothing.
    """

    def spectrum(maps: Array | np.ndarray) -> Array:
        centred = maps - maps.mean((1, 2), keepdims=True)
        norm = jnp.sqrt((centred**2).sum((1, 2), keepdims=True))
        return jnp.fft.rfft2(jnp.where(norm > 0, centred / jnp.where(norm > 0, norm, 1), 0))

    product = spectrum(maps) * jnp.conj(spectrum(turned_back))
    return jnp.fft.irfft2(product, s=maps.shape[1:]).sum(0)


def displacement(correlated: Float[np.ndarray, "h w"]) -> Displacement:
    """Return half the shift at which the maps fit best, to half a pixel.

    Args:
      correlated: sum of `correlation` over frames: a few dozen are needed, as a single frame's
        content may lie anywhere.
    """
    height, width = correlated.shape
    reach = int(2 * _FARTHEST * height), int(2 * _FARTHEST * width)
    near = np.roll(correlated, reach, (0, 1))[: 2 * reach[0] + 1, : 2 * reach[1] + 1]
    y, x = np.unravel_index(int(near.argmax()), near.shape)
    return Displacement((int(y) - reach[0]) / 2 / height, (int(x) - reach[1]) / 2 / width)


def undo(cam: Float[Array, "y x"], by: Float[Array, "2"]) -> Float[Array, "y x"]:
    """Move a map back, bilinearly; what comes in at the border repeats the border.

    Args:
      cam: any map of the network for which `by` was found.
      by: (down, right), see `Displacement`.
    """
    places = jnp.stack(jnp.meshgrid(*map(jnp.arange, cam.shape), indexing="ij"))
    moved = places + (by * jnp.array(cam.shape))[:, None, None]
    return jax.scipy.ndimage.map_coordinates(cam, list(moved), order=1, mode="nearest")
