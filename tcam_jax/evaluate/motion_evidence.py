"""A map of logits with the evidence of motion: what moves other than the camera is likely a thing.

With m a frame's motion, 0..1 (`data.optical_flow.motion_map`), a pixel's logit difference gains

    WEIGHT * (log(l + (1 - l) m) - its mean over the frame),

l being what is left to a place that does not move: an object may stand still, and flow may be
wrong. Where nothing moves, or motion is not known (a frame without neighbours), the map stays what
it is.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from tcam_jax.data.geometry import resize_map
from tcam_jax.pseudo_labels.motion_prior import moving

WEIGHT = 2.0  # chosen of 1, 2, 3, 4 on the validation splits of moving_photos and moving_shapes


def with_motion_evidence(
    z: Float[Array, "h w"], motion: Float[Array, "g g"]
) -> Float[Array, "h w"]:
    """Return a frame's logit differences, foreground minus background, motion counted in.

    Args:
      z: the map's, nats, of a square frame.
      motion: of the frame, 0..1, at every `data.optical_flow.FLOW_STRIDE`-th place.
    """
    evidence = jnp.log(moving(resize_map(motion, z.shape[0])))
    return z + WEIGHT * (evidence - evidence.mean())
