"""What every loss term receives."""

from typing import NamedTuple

from jaxtyping import Array, Float, Int


class LossInputs(NamedTuple):
    """One batch (or one device's part of it), as the loss terms see it.

    Attributes:
      map_logits: decoder output `[b, h, w, 2]`, float, before the softmax; last axis (background,
        foreground).
      images: frames `[b, h, w, 3]`, float, 0..255: augmented like the maps, not normalised.
      seeds: pseudo-labels `[b, h, w]`, int32: 1 foreground, 0 background, -255 unlabelled.
      barrier_t: sharpness of the log-barriers in this epoch, float scalar.
    """

    map_logits: Float[Array, "b h w 2"]
    images: Float[Array, "b h w 3"]
    seeds: Int[Array, "b h w"]
    barrier_t: Float[Array, ""]
