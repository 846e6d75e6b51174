"""Temporal consistency: a pixel that looks the same in the next frame wants the same label."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from tcam_jax.losses.inputs import LossInputs, probabilities, required


def temporal_consistency(
    inputs: LossInputs, *, sigma_rgb: float
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Sum the squared changes of the foreground probability between neighbouring frames.

    For each pair of consecutive valid frames the mean over the pixels of
    `exp(-|rgb_t - rgb_{t+1}|^2 / (2 sigma_rgb^2)) (S1_t - S1_{t+1})^2`: 0..1. The weight, which has
    no gradient, lets go of pixels where something moved.

    Args:
      inputs: the batch, with its `window`.
      sigma_rgb: colour change, in levels of 0..255, at which the weight is 0.61.

    Returns:
      The sum over the pairs and their number; (0, 0) without any.

    Source:
      After Lai et al., "Learning blind video temporal consistency", ECCV 2018 (short-term term with
      its visibility weight), without optical flow.
    """
    window = required(inputs.window, "window")
    foreground = probabilities(window.map_logits)[..., 1]
    images = window.images.astype(foreground.dtype)
    change = ((images[:, 1:] - images[:, :-1]) ** 2).sum(axis=-1)
    unchanged = jnp.exp(-change / (2 * sigma_rgb**2))
    per_pair = (unchanged * (foreground[:, 1:] - foreground[:, :-1]) ** 2).mean(axis=(2, 3))
    pairs = window.valid[:, 1:] & window.valid[:, :-1]
    return jnp.where(pairs, per_pair, 0).sum(), pairs.sum().astype(foreground.dtype)
