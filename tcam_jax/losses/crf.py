"""Dense CRF loss: pixels of similar colour and position want the same label."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tcam_jax.losses.inputs import LossInputs, probabilities, summed
from tcam_jax.losses.kernels.energy import (
    Accuracy,
    Backend,
    Kernel,
    pairwise_energies,
)
from tcam_jax.losses.schedule import LossSettings

REFERENCE_SIZE = 224


def crf(
    inputs: LossInputs,
    *,
    sigma_rgb: float,
    sigma_xy: float,
    scale: float = 1.0,
    kernel_scale: float = 1.0,
    backend: Backend = "auto",
    accuracy: Accuracy = "default",
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Sum the dense-CRF energies `-sum_c S_c^T A S_c` of the batch.

    `A_ij = exp(-|f_i - f_j|^2 / 2)` over all pairs of pixels, the diagonal included, with
    `f = (x / sigma_xy, y / sigma_xy, rgb / sigma_rgb)`; nothing is normalised. Gradients reach the
    map logits only, never the images.

    Args:
      inputs: the batch.
      sigma_rgb: colour bandwidth of the kernel, in levels of 0..255.
      sigma_xy: spatial bandwidth, in pixels of the full-size map.
      scale: size at which the energy is computed, in (0, 1]: images by nearest neighbour, maps by
        bilinear interpolation, `sigma_xy` times `scale`. Below 1 this is a *different loss*, not
        an approximation: it sums over fewer pairs and shrinks about as `scale**4`.
      kernel_scale: factor of the kernel. 0.594 gives the strength of the authors' filter, a
        permutohedral lattice that returns about 0.6 of the Gaussian.
      backend: how the kernel is evaluated: auto, grid, grid_matmul or exact; errors and costs in
        `losses.kernels.energy`.
      accuracy: of the grids, default or fine.

    Returns:
      The sum of the energies and the number of samples.

    Raises:
      ValueError: if `scale` is out of range, or a kernel's parameter is.

    Source:
      TCAM equation 5 (CRF term); Tang et al., "On regularized losses for weakly-supervised CNN
      segmentation", ECCV 2018.
    """
    if not 0 < scale <= 1:
        raise ValueError(f"The scale of the CRF loss must be in (0, 1], got {scale}.")
    maps, images = probabilities(inputs.map_logits), inputs.images
    if scale < 1:
        images, maps = _shrink(images, maps, scale)
    kernel = Kernel(sigma_rgb, sigma_xy * scale, backend, accuracy)
    differences = maps[..., 0] - maps[..., 1]
    energies = pairwise_energies(images, jnp.ones_like(differences), differences, kernel)
    total, count = summed(energies, inputs)
    return kernel_scale * total, count


def crf_settings_at(settings: LossSettings, size: int) -> dict[str, Any]:
    """Convert the settings of a CRF loss, meant for crops of 224 pixels, to crops of `size` pixels.

    The energy sums over pairs of pixels, so it grows with size^4, and its spatial range is in
    pixels: weight * (224 / (size * scale))^4 and sigma_xy * size / 224 keep its meaning. An
    adaptive weight does not depend on the energy's size and stays.

    Args:
      settings: `weight`, `final_weight`, `adaptive`, `sigma_xy`, `scale`, as far as it has them.
      size: side of the crop, pixels.
    """
    ratio = size / REFERENCE_SIZE
    converted = dict(settings)
    if "sigma_xy" in settings:
        converted["sigma_xy"] = settings["sigma_xy"] * ratio
    if not settings.get("adaptive"):
        for name in ("weight", "final_weight"):
            if settings.get(name) is not None:
                converted[name] = settings[name] / (ratio * settings.get("scale", 1.0)) ** 4
    return converted


def _shrink(
    images: Float[Array, "b h w 3"], maps: Float[Array, "b h w 2"], scale: float
) -> tuple[Float[Array, "b y x 3"], Float[Array, "b y x 2"]]:
    _, height, width, _ = images.shape
    small_height, small_width = int(height * scale), int(width * scale)
    if min(small_height, small_width) < 1:
        raise ValueError(
            f"The scale {scale} of the CRF loss leaves nothing of a {height}x{width} map: raise it."
        )
    rows = jnp.arange(small_height) * height // small_height
    columns = jnp.arange(small_width) * width // small_width
    batch, _, _, classes = maps.shape
    small = jax.image.resize(
        maps, (batch, small_height, small_width, classes), "linear", antialias=False
    )
    return images[:, rows[:, None], columns], small
