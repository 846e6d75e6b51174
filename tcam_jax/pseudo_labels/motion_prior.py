"""Motion as a prior for seeds: what moves other than the camera is likely an object."""

import jax.numpy as jnp
from jaxtyping import Array, Float

_LEAST = 0.1
"""What a place that does not move has left: an object may stand still, and flow may be wrong."""


def moving(motion: Float[Array, "*places"]) -> Float[Array, "*places"]:
    """Return motion, 0..1, with something left to what does not move."""
    return _LEAST + (1 - _LEAST) * motion


def with_motion(
    cam: Float[Array, "h w"], motion: Float[Array, "h w"], share: float
) -> Float[Array, "h w"]:
    """Fuse an activation map with a map of what moves: cam^(1 - share) motion^share.

    Where nothing moves at all, or motion is unknown, the second factor is the same everywhere, and
    (unless `share` is 1) the order of the activations stays.

    Args:
      cam: 0..1.
      motion: of things, 0..1, see `data.optical_flow.motion_map`.
      share: 0..1; 0 is the activation map alone.

    Returns:
      The map, 0..1, its highest value that of `cam`.
    """
    fused = cam ** (1 - share) * moving(motion) ** share
    highest = fused.max()
    return fused * cam.max() / jnp.where(highest > 0, highest, 1)
