"""Partial cross-entropy: the classification loss of the few labelled pixels."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tcam_jax.losses.inputs import LossInputs, in_full_precision
from tcam_jax.pseudo_labels.seeds import FOREGROUND, UNLABELLED


def partial_ce(inputs: LossInputs) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Sum the two-class cross-entropy of the labelled pixels.

    Returns:
      The sum over the labelled pixels of the batch and their number; (0, 0) without any. The
      authors average over the labelled pixels, where the paper sums.

    Source:
      TCAM equation 4.
    """
    log_probabilities = jax.nn.log_softmax(in_full_precision(inputs.map_logits))
    labelled = inputs.seeds != UNLABELLED
    if inputs.valid is not None:
        labelled &= inputs.valid[:, None, None]
    chosen = jnp.where(
        inputs.seeds == FOREGROUND, log_probabilities[..., 1], log_probabilities[..., 0]
    )
    return -jnp.where(labelled, chosen, 0).sum(), labelled.sum().astype(chosen.dtype)
