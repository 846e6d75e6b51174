"""CAM-TMP: temporal max-pooling of class activation maps (TCAM section 3, equation 1)."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


def temporal_max(cams: Float[Array, "t y x"], valid: Bool[Array, " t"]) -> Float[Array, "y x"]:
    """Take the maximum over the frames of a window.

    Objects move little between neighbouring frames, while the part that excites the classifier
    changes: the maximum gathers the parts.

    Args:
      cams: normalised maps of one window's frames, 0..1.
      valid: False for slots outside the shot. The target frame is always valid.

    Returns:
      The map `[y, x]`, 0..1, not normalised again (as the reference).
    """
    return jnp.where(valid[:, None, None], cams, 0).max(axis=0)
