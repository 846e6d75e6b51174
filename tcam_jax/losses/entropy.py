"""Entropy of the map: every pixel is asked to decide."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tcam_jax.losses.inputs import LossInputs, in_full_precision, summed


def entropy(inputs: LossInputs) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Sum the entropies `-sum_c S_c log2 S_c` of the pixels, in bits: 0..1 each.

    Returns:
      The sum over all pixels of the batch and their number.

    Source:
      Grandvalet and Bengio, "Semi-supervised learning by entropy minimization", NeurIPS 2004; in
      bits, as the authors of TCAM have it.
    """
    logits = in_full_precision(inputs.map_logits)
    # softmax * log_softmax stays finite where a probability is 0.
    bits = -(jax.nn.softmax(logits) * jax.nn.log_softmax(logits)).sum(axis=-1) / jnp.log(2.0)
    return summed(bits, inputs)
