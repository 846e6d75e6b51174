"""Extended log-barrier: a differentiable penalty for the constraint f <= 0."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def extended_log_barrier(
    f: Float[Array, "*shape"], t: Float[Array, ""] | float
) -> Float[Array, "*shape"]:
    """Penalise constraint values `f`, elementwise.

    `-log(-f) / t` where `f <= -1 / t**2`, and its tangent beyond, so that the penalty is finite
    and has a gradient when the constraint is violated.

    Args:
      f: constraint values; the constraint is `f <= 0`.
      t: sharpness, above 0.

    Source:
      Kervadec et al., "Constrained deep networks: Lagrangian optimization via log-barrier
      extensions", 2019.
    """
    inside = f <= -1 / t**2
    # Both branches are differentiated, and the log of a violated constraint would give NaN.
    safe = jnp.where(inside, f, -1.0)
    barrier = -jnp.log(-safe) / t
    tangent = t * f - jnp.log(1 / t**2) / t + 1 / t
    return jnp.where(inside, barrier, tangent)


def barrier_t(
    epoch: Int[Array, ""] | int, *, initial: float, maximum: float, growth: float
) -> Float[Array, ""]:
    """Return the sharpness `t` after a number of finished epochs.

    Args:
      epoch: finished epochs, 0 in the first.
      initial: `t` of the first epoch (1 in the published experiments).
      maximum: upper bound (10; not reached within 100 epochs).
      growth: factor per epoch (1.01).

    Source:
      TCAM section 4.1 (implementation details).
    """
    return jnp.minimum(initial * jnp.asarray(growth, float) ** epoch, maximum)
