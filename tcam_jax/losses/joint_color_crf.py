"""Joint colour CRF: what has one colour in a clip wants one label in all of its frames."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tcam_jax.losses.inputs import LossInputs, probabilities
from tcam_jax.losses.kernels.energy import (
    Accuracy,
    Backend,
    Kernel,
    images_at_once,
    pairwise_energy,
)


def joint_color_crf(
    inputs: LossInputs,
    *,
    sigma_rgb: float,
    backend: Backend = "auto",
    accuracy: Accuracy = "default",
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Sum the colour-only CRF energies over all frames of each window.

    Per sample `-sum_c S_c^T A S_c` with `A_ij = exp(-|rgb_i - rgb_j|^2 / (2 sigma_rgb^2))` over all
    pairs of pixels of its valid frames, within and between frames; position does not count, so
    objects may move. Its size grows with the square of the pixels (10^9 and more), and with the
    frames: an adaptive weight keeps the term at `weight` (see `losses.schedule`).

    Args:
      inputs: the batch, with its `window`.
      sigma_rgb: colour bandwidth, in levels of 0..255 (15 in the published experiments).
      backend, accuracy: see `losses.kernels.energy`.

    Returns:
      The sum over the samples with at least two valid frames, and their number.

    Source:
      Belharbi et al., "CoLo-CAM: class activation mapping for object co-localization in
      weakly-labeled unconstrained videos", Pattern Recognition 162, 2025.
    """
    window = inputs.window
    kernel = Kernel(sigma_rgb, None, backend, accuracy)

    def energy(sample: tuple[Array, Array, Array]) -> Array:
        image, difference, valid = sample
        frames, height, width = difference.shape
        counts = valid & (valid.sum() > 1)
        mask = jnp.broadcast_to(counts[:, None, None], difference.shape).astype(difference.dtype)
        side_by_side = (frames * height, width)
        return pairwise_energy(
            image.reshape(*side_by_side, 3),
            mask.reshape(side_by_side),
            (difference * mask).reshape(side_by_side),
            kernel,
        )

    maps = probabilities(window.map_logits)
    samples = (window.images, maps[..., 0] - maps[..., 1], window.valid)
    energies = jax.lax.map(energy, samples, batch_size=images_at_once())
    several = window.valid.sum(axis=1) > 1
    return energies.sum(), several.sum().astype(energies.dtype)
