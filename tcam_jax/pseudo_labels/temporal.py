"""CAM-TMP: activation maps of a window pooled over its frames (TCAM section 3, equation 1)."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

Pooling = Callable[[Float[Array, "t h w"], Bool[Array, "t h w"]], Float[Array, "h w"]]
"""(the frames' maps, where they are valid) -> one map; one frame is valid at every place."""

_SHARPNESS = 8.0  # of the softmax: 1 against 0 has e^8 times the weight


def maximum(maps: Float[Array, "t h w"], valid: Bool[Array, "t h w"]) -> Float[Array, "h w"]:
    """Take the maximum over the frames.

    Objects move little between neighbouring frames, while the part that excites the classifier
    changes: the maximum gathers the parts.
    """
    return jnp.where(valid, maps, 0).max(axis=0)


def mean(maps: Float[Array, "t h w"], valid: Bool[Array, "t h w"]) -> Float[Array, "h w"]:
    """Take the mean over the frames: what one frame shows alone counts for less."""
    return jnp.where(valid, maps, 0).sum(axis=0) / valid.sum(axis=0)


def softmax(maps: Float[Array, "t h w"], valid: Bool[Array, "t h w"]) -> Float[Array, "h w"]:
    """Take the mean weighted by the softmax of the maps: between the mean and the maximum."""
    weights = jax.nn.softmax(_SHARPNESS * maps, axis=0, where=valid)
    return (weights * jnp.where(valid, maps, 0)).sum(axis=0)


POOLINGS: dict[str, Pooling] = {"max": maximum, "mean": mean, "softmax": softmax}
"""By `config.tcam.window.pooling`; a user's own joins them."""


def pool(
    maps: Float[Array, "t h w"], valid: Bool[Array, "t"] | Bool[Array, "t h w"], how: str = "max"
) -> Float[Array, "h w"]:
    """Pool the maps of a window's frames.

    Args:
      maps: normalised maps, 0..1.
      valid: False for slots outside the shot, or also for places that a frame does not show. The
        target frame is valid everywhere.
      how: one of `POOLINGS`.

    Returns:
      The map, 0..1, not normalised again (as the reference).

    Raises:
      ValueError: `how` is unknown.
    """
    if how not in POOLINGS:
        raise ValueError(f"The pooling must be one of {', '.join(POOLINGS)}; got {how!r}.")
    everywhere = valid if valid.ndim == maps.ndim else valid[:, None, None]
    return POOLINGS[how](maps, jnp.broadcast_to(everywhere, maps.shape))


def moved_along(
    cam: Float[Array, "y x"], flow: Float[Array, "h w 2"]
) -> tuple[Float[Array, "h w"], Bool[Array, "h w"]]:
    """Enlarge a neighbour's map, moved to where its content lies in the target frame.

    Args:
      cam: the neighbour's map, over its whole frame.
      flow: by how much what lies in each place of the target lies elsewhere in the neighbour, as a
        share of the frame's sides (down, right).

    Returns:
      Bilinear samples of the map (half-pixel centres, edges clamped): without motion that is
      `data.geometry.resize_map`. And where the neighbour shows the place at all.
    """
    places = [(jnp.arange(side) + 0.5) / side for side in flow.shape[:2]]
    seen = jnp.stack(jnp.meshgrid(*places, indexing="ij"), axis=-1) + flow
    there = ((seen >= 0) & (seen <= 1)).all(axis=-1)
    down, right = jnp.moveaxis(seen * jnp.array(cam.shape) - 0.5, -1, 0)
    return jax.scipy.ndimage.map_coordinates(cam, [down, right], order=1, mode="nearest"), there
