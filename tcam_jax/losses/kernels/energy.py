"""Dense pairwise energy of two-class maps, with its gradient, by a chosen way of evaluation.

The kernel matrix `A_ij = exp(-|f_i - f_j|^2 / 2)` couples all pairs of pixels, the diagonal
included; `f` is the colour over `sigma_rgb` and, unless only colours count, the position over
`sigma_xy`. Nothing is normalised. With `S0 + S1 = m` (1, or 0 for pixels that do not count) and
`d = S0 - S1`,

    -(S0^T A S0 + S1^T A S1) = -(m^T A m + d^T A d) / 2,

where the first part is a constant of the image: `A d` alone is the gradient, so one channel goes
through the kernel where two would by the definition.

Evaluations and their errors (`docs/crf.json`; photographs of 224 x 224 pixels, sigmas 15 and 100):

- "grid": colours on a three-dimensional grid, written by scatter; for CPUs and GPUs. On a GPU
  atomic additions make its last bits differ from run to run.
- "grid_matmul": the same idea in matrix products alone; for TPUs, and wherever the result must be
  the same bit by bit. Its error hardly depends on what the image shows.
- "exact": every pair; the reference, of quadratic cost.
- "auto": "grid_matmul" on TPUs, "grid" elsewhere.
"""

import math
from functools import partial
from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tcam_jax.losses.kernels import exact, grid, grid_matmul
from tcam_jax.runtime.errors import InputError

Backend = Literal["auto", "grid", "grid_matmul", "exact"]
Accuracy = Literal["default", "fine"]

# Below, the grids grow beyond memory (with sigma_rgb^-3); above, they have no points to speak of.
_GRID_SIGMAS = (4.0, 1000.0)


class Kernel(NamedTuple):
    """A Gaussian kernel and how to evaluate it.

    Attributes:
      sigma_rgb: colour bandwidth, in levels of 0..255.
      sigma_xy: spatial bandwidth in pixels; None: colours alone count.
      backend: see the module.
      accuracy: of the grids, on photographs. "default": gradients for the probabilities within
        1.1 %, for the logits within 2 %, values within 1 %; "fine": within 0.5 %, 0.7 % and 0.4 %,
        for about twice the time.
    """

    sigma_rgb: float
    sigma_xy: float | None
    backend: Backend = "auto"
    accuracy: Accuracy = "default"


def pairwise_energy(
    image: Float[Array, "h w 3"],
    mask: Float[Array, "h w"],
    difference: Float[Array, "h w"],
    kernel: Kernel,
) -> Float[Array, ""]:
    """Return `-(m^T A m + d^T A d) / 2`, see the module.

    Its derivative is `-A d` for `difference`; image and mask have none.

    Args:
      image: colours; values outside 0..255 are clipped.
      mask: m, 1 for pixels that count, 0 for others.
      difference: d, background minus foreground probability, -1..1; 0 where the mask is.
      kernel: the kernel.

    Returns:
      The energy, in float32, or float64 if `difference` is.

    Raises:
      InputError: if the kernel's backend, accuracy or bandwidths are unknown or out of range.
    """
    _check(kernel)
    dtype = jnp.promote_types(difference.dtype, jnp.float32)
    image = jnp.clip(image.astype(dtype), 0, 255)
    return _energy(kernel, image, mask.astype(dtype), difference.astype(dtype))


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _energy(
    kernel: Kernel,
    image: Float[Array, "h w 3"],
    mask: Float[Array, "h w"],
    difference: Float[Array, "h w"],
) -> Float[Array, ""]:
    return _energy_forward(kernel, image, mask, difference)[0]


def _energy_forward(
    kernel: Kernel,
    image: Float[Array, "h w 3"],
    mask: Float[Array, "h w"],
    difference: Float[Array, "h w"],
) -> tuple[Float[Array, ""], Float[Array, "h w"]]:
    sigmas = (kernel.sigma_rgb, kernel.sigma_xy)
    match _resolved(kernel.backend):
        case "grid":
            quadratic, filtered = grid.apply(image, mask, difference, *sigmas, kernel.accuracy)
        case "grid_matmul":
            quadratic, filtered = grid_matmul.apply(
                image, mask, difference, *sigmas, kernel.accuracy
            )
        case "exact":
            quadratic, filtered = exact.apply(image, mask, difference, *sigmas)
    return -(quadratic + jnp.vdot(difference, filtered)) / 2, filtered


def _energy_backward(
    kernel: Kernel, filtered: Float[Array, "h w"], cotangent: Float[Array, ""]
) -> tuple[None, None, Float[Array, "h w"]]:
    return None, None, -cotangent * filtered


_energy.defvjp(_energy_forward, _energy_backward)


def pairwise_energies(
    images: Float[Array, "b h w 3"],
    masks: Float[Array, "b h w"],
    differences: Float[Array, "b h w"],
    kernel: Kernel,
) -> Float[Array, " b"]:
    """Return the energy of each sample, see `pairwise_energy`; a few samples at a time."""
    # A CPU takes one after the other (None; batches of one would be twice as slow): several are no
    # faster and each needs tens of megabytes. An accelerator is not kept busy by one.
    at_once = None if jax.default_backend() == "cpu" else 8
    energy = partial(pairwise_energy, kernel=kernel)
    samples = (images, masks, differences)
    return jax.lax.map(lambda sample: energy(*sample), samples, batch_size=at_once)


def _resolved(backend: str) -> str:
    if backend != "auto":
        return backend
    return "grid_matmul" if jax.default_backend() == "tpu" else "grid"


def _check(kernel: Kernel) -> None:
    for name, allowed in (("backend", get_args(Backend)), ("accuracy", get_args(Accuracy))):
        if getattr(kernel, name) not in allowed:
            raise InputError(
                f"The CRF's {name} must be one of {', '.join(allowed)}; "
                f"got {getattr(kernel, name)!r}."
            )
    for name in ("sigma_rgb", "sigma_xy"):
        sigma = getattr(kernel, name)
        if sigma is not None and not 0 < sigma < math.inf:
            raise InputError(f"The CRF's {name} must be greater than 0 and finite; got {sigma}.")
    low, high = _GRID_SIGMAS
    if kernel.backend != "exact" and not low <= kernel.sigma_rgb <= high:
        raise InputError(
            f"The CRF's grids take a sigma_rgb of {low:g} to {high:g} levels; got "
            f'{kernel.sigma_rgb:g}. Change it, or choose backend="exact".'
        )
