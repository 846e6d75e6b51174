"""Dense CRF loss: pixels of similar colour and position want the same label."""

import functools
from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tcam_jax.losses.inputs import LossInputs

REFERENCE_SIZE = 224

_TILE = 1 << 21  # kernel entries in memory at a time: 8 MB in float32


def crf(
    inputs: LossInputs,
    *,
    sigma_rgb: float,
    sigma_xy: float,
    scale: float = 1.0,
    kernel_scale: float = 1.0,
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Sum the dense-CRF energies of the batch, see `crf_energy`.

    Gradients reach the map logits only, never the images.

    Args:
      inputs: the batch.
      sigma_rgb: colour bandwidth of the kernel, in levels of 0..255.
      sigma_xy: spatial bandwidth, in pixels of the full-size map.
      scale: size at which the energy is computed, in (0, 1]: images by nearest neighbour, maps by
        bilinear interpolation, `sigma_xy` times `scale`. Below 1 this is a *different loss*, not
        an approximation: it sums over fewer pairs and shrinks about as `scale**4`.
      kernel_scale: factor of the kernel. 0.594 gives the strength of the authors' filter, a
        permutohedral lattice that returns about 0.6 of the Gaussian.

    Returns:
      The sum of the energies and the number of samples `b`.

    Raises:
      ValueError: if `scale` is out of range.

    Source:
      TCAM equation 5 (CRF term); Tang et al., "On regularized losses for weakly-supervised CNN
      segmentation", ECCV 2018.
    """
    if not 0 < scale <= 1:
        raise ValueError(f"The scale of the CRF loss must be in (0, 1], got {scale}.")
    logits = inputs.map_logits
    logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    probabilities, images = jax.nn.softmax(logits), inputs.images
    if scale < 1:
        images, probabilities = _shrink(images, probabilities, scale)
    # One sample after the other: vmap is no faster on a CPU and needs b times the memory.
    energies = jax.lax.map(
        lambda sample: crf_energy(*sample, sigma_rgb=sigma_rgb, sigma_xy=sigma_xy * scale),
        (images, probabilities),
    )
    return kernel_scale * energies.sum(), jnp.asarray(energies.shape[0], energies.dtype)


def crf_settings_at(settings: Mapping[str, float], size: int) -> dict[str, float]:
    """Convert CRF settings meant for crops of 224 pixels to crops of `size` pixels.

    The energy sums over pairs of pixels, so it grows with size^4, and its spatial range is in
    pixels: weight * (224 / (size * scale))^4 and sigma_xy * size / 224 keep its meaning.

    Args:
      settings: `weight`, `sigma_xy`, `scale` and what else `crf` takes.
      size: side of the crop, pixels.
    """
    ratio = size / REFERENCE_SIZE
    return {
        **settings,
        "weight": settings["weight"] / (ratio * settings.get("scale", 1.0)) ** 4,
        "sigma_xy": settings["sigma_xy"] * ratio,
    }


def crf_energy(
    image: Float[Array, "h w 3"],
    probabilities: Float[Array, "h w c"],
    *,
    sigma_rgb: float,
    sigma_xy: float,
) -> Float[Array, ""]:
    """Return the dense-CRF energy `-sum_c S_c^T A S_c` of one frame.

    `A_ij = exp(-|f_i - f_j|^2 / 2)` over all pairs of pixels, the diagonal included, with
    `f = (x / sigma_xy, y / sigma_xy, rgb / sigma_rgb)`; nothing is normalised. The kernel is
    exact: time grows with the square of the pixels, memory with the pixels. The derivative is
    `-2 A S` for the probabilities and none for the image.

    Args:
      image: colours, 0..255.
      probabilities: class probabilities, 0..1.
      sigma_rgb: colour bandwidth, in levels.
      sigma_xy: spatial bandwidth, in pixels.

    Returns:
      The energy, of the dtype of `probabilities` (float32 at least).
    """
    height, width, classes = probabilities.shape
    dtype = jnp.promote_types(probabilities.dtype, jnp.float32)
    y, x = jnp.meshgrid(jnp.arange(height), jnp.arange(width), indexing="ij")
    place = jnp.stack([y, x], axis=-1).astype(dtype) / sigma_xy
    features = jnp.concatenate([place, image.astype(dtype) / sigma_rgb], axis=-1).reshape(-1, 5)
    # Distances are differences of squares: centred features keep the squares small.
    features = jax.lax.stop_gradient(features - features.mean(axis=0))
    return _energy(features, probabilities.astype(dtype).reshape(-1, classes))


@jax.custom_vjp
def _energy(features, probabilities):
    return _energy_forward(features, probabilities)[0]


def _energy_forward(features, probabilities):
    filtered = _gaussian_filter(features, probabilities)
    return -jnp.vdot(probabilities, filtered), filtered


def _energy_backward(filtered, cotangent):
    return None, -2 * cotangent * filtered


_energy.defvjp(_energy_forward, _energy_backward)


def _gaussian_filter(features, values):
    """Multiply `values` `[n, c]` by the Gaussian kernel matrix of `features` `[n, d]`, by rows."""
    exactly = functools.partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)
    half_squares = (features**2).sum(axis=-1) / 2

    def filter_row(feature):
        exponent = exactly(features, feature) - half_squares - (feature**2).sum() / 2
        # Rounding can make the distance of equal features negative.
        return exactly(jnp.exp(jnp.minimum(exponent, 0)), values)

    return jax.lax.map(filter_row, features, batch_size=max(1, _TILE // features.shape[0]))


def _shrink(images, probabilities, scale):
    _, height, width, _ = images.shape
    small_height, small_width = int(height * scale), int(width * scale)
    if min(small_height, small_width) < 1:
        raise ValueError(
            f"The scale {scale} of the CRF loss leaves nothing of a {height}x{width} map: raise it."
        )
    rows = jnp.arange(small_height) * height // small_height
    columns = jnp.arange(small_width) * width // small_width
    batch, _, _, classes = probabilities.shape
    small = jax.image.resize(
        probabilities, (batch, small_height, small_width, classes), "linear", antialias=False
    )
    return images[:, rows[:, None], columns], small
