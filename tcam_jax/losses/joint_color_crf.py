"""Joint colour CRF: what has one colour in a clip wants one label in all of its frames."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from tcam_jax.losses.inputs import LossInputs, probabilities, required
from tcam_jax.losses.kernels.energy import (
    Accuracy,
    Backend,
    Kernel,
    pairwise_energies,
)


def joint_color_crf(
    inputs: LossInputs,
    *,
    sigma_rgb: float,
    kernel_scale: float = 1.0,
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
      kernel_scale: factor of the kernel. 0.77 gives the strength of the authors' filter, a lattice
        in three dimensions (0.72 to 0.86 of the Gaussian, by image). An adaptive weight divides it
        out again.
      backend, accuracy: see `losses.kernels.energy`.

    Returns:
      The sum over the samples with at least two valid frames, and their number.

    Source:
      Belharbi et al., "CoLo-CAM: class activation mapping for object co-localization in
      weakly-labeled unconstrained videos", Pattern Recognition 162, 2025.
    """
    window = required(inputs.window, "window")
    kernel = Kernel(sigma_rgb, None, backend, accuracy)
    maps = probabilities(window.map_logits)
    differences = maps[..., 0] - maps[..., 1]
    several = window.valid.sum(axis=1) > 1
    counts = (window.valid & several[:, None])[:, :, None, None]
    masks = jnp.broadcast_to(counts, differences.shape).astype(differences.dtype)
    batch, frames, height, width = differences.shape
    one_image = (batch, frames * height, width)  # the frames one below the other
    energies = pairwise_energies(
        window.images.reshape(*one_image, 3),
        masks.reshape(one_image),
        (differences * masks).reshape(one_image),
        kernel,
    )
    return kernel_scale * energies.sum(), several.sum().astype(energies.dtype)
