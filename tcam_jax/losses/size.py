"""Size constraint: both background and foreground want to be large."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tcam_jax.losses.inputs import LossInputs
from tcam_jax.losses.log_barrier import extended_log_barrier


def size(inputs: LossInputs) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Sum the log-barriers on the areas of background and foreground.

    Per sample `(barrier(-sum S0) + barrier(-sum S1)) / 2`, with areas in pixels. Neither region
    may vanish; the two pulls balance at equal areas.

    Returns:
      The sum over the samples and their number `b`.

    Source:
      TCAM equation 5 (absolute size constraint).
    """
    logits = inputs.map_logits
    logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    areas = jax.nn.softmax(logits).sum(axis=(1, 2))
    barriers = extended_log_barrier(-areas, inputs.barrier_t.astype(areas.dtype))
    return barriers.sum() / 2, jnp.asarray(areas.shape[0], areas.dtype)
