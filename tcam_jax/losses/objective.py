"""The training objective: the weighted sum of the configured loss terms.

A loss is a function `(inputs, **parameters) -> (sum, count)`; its value is `sum / count` over the
global batch. To add one, put it into `LOSSES`, and its settings into `config.tcam.losses`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Concatenate

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int
from ml_collections import ConfigDict

from tcam_jax.losses.crf import crf, crf_settings_at
from tcam_jax.losses.entropy import entropy
from tcam_jax.losses.inputs import LossInputs
from tcam_jax.losses.joint_color_crf import joint_color_crf
from tcam_jax.losses.partial_ce import partial_ce
from tcam_jax.losses.schedule import SCHEDULE, LossSettings, is_on, weight_at
from tcam_jax.losses.size import bg_larger_than_fg, empty_outside_box, fg_size, size
from tcam_jax.losses.temporal_consistency import temporal_consistency
from tcam_jax.runtime.errors import InputError

Loss = Callable[Concatenate[LossInputs, ...], tuple[Float[Array, ""], Float[Array, ""]]]
"""(inputs, **parameters) -> (sum, count)."""

LOSSES: dict[str, Loss] = {
    "partial_ce": partial_ce,
    "crf": crf,
    "size": size,
    "entropy": entropy,
    "bg_larger_than_fg": bg_larger_than_fg,
    "fg_size": fg_size,
    "empty_outside_box": empty_outside_box,
    "joint_color_crf": joint_color_crf,
    "temporal_consistency": temporal_consistency,
}
# Their energies grow with the size of the crop.
CRF_LOSSES = ("crf", "joint_color_crf")
# They look at all frames of a window, which are only decoded for them.
WINDOW_LOSSES = ("joint_color_crf", "temporal_consistency")


def settings_at(
    losses: Mapping[str, LossSettings] | ConfigDict, size: int
) -> dict[str, dict[str, Any]]:
    """Return the settings of the losses for crops of `size` pixels, see `crf_settings_at`."""
    return {
        name: crf_settings_at(settings, size) if name in CRF_LOSSES else dict(settings)
        for name, settings in losses.items()
    }


def window_losses(losses: Mapping[str, LossSettings] | ConfigDict) -> tuple[str, ...]:
    """Return which losses that are on look at all frames of a window."""
    return tuple(name for name in losses if name in WINDOW_LOSSES and is_on(losses[name]))


def objective(
    inputs: LossInputs,
    losses: Mapping[str, LossSettings],
    *,
    epoch: Int[Array, ""] | int = 1,
    epochs: int = 1,
    axis_name: str | None = None,
    counts: Mapping[str, Array] | None = None,
) -> tuple[Float[Array, ""], dict[str, tuple[Float[Array, ""], Float[Array, ""]]]]:
    """Combine the configured losses of this device's part of the batch.

    Differentiate the total on every device, then `psum` the gradients: each device divides its
    sums by the counts of the *global* batch, so the parts add up to the gradient of the global
    value, however unevenly the labelled pixels fall.

    Args:
      inputs: this device's samples.
      losses: for each loss its schedule (`losses.schedule`) and its parameters, as in
        `config.tcam.losses`.
      epoch: counted from 1.
      epochs: of the training.
      axis_name: mapped axis the batch is split over; None if it is not split.
      counts: of each loss over the whole batch, where `inputs` are of one of several microbatches;
        see `global_counts`. An adaptive weight is then the microbatch's own.

    Returns:
      This device's part of the total (the sum over devices is the objective), and for each loss
      the unweighted (sum, count) over the devices, for logging. A loss that counts nothing, as
      `partial_ce` without labelled pixels, adds 0; one that is off is left out.

    Raises:
      ValueError: if a loss is unknown or has no weight.

    Source:
      TCAM equation 5; adaptive weights: CoLo-CAM (Belharbi et al., Pattern Recognition 162, 2025).
    """
    total = jnp.zeros((), jnp.promote_types(inputs.map_logits.dtype, jnp.float32))
    terms = {}
    for name, settings in losses.items():
        _check(name, settings)
        if not is_on(settings):
            continue
        local_sum, local_count = LOSSES[name](inputs, **_parameters(settings))
        logged = jax.lax.stop_gradient((local_sum, local_count))
        terms[name] = logged if axis_name is None else jax.lax.psum(logged, axis_name)
        global_sum, count = terms[name]
        weight = weight_at(settings, epoch, epochs).astype(total.dtype)
        if settings.get("adaptive"):
            magnitude = jnp.abs(global_sum / jnp.where(count > 0, count, 1))
            weight = weight / jnp.where(magnitude > 0, magnitude, 1)
        if counts is not None:
            count = counts[name]
        total += weight * local_sum / jnp.where(count > 0, count, 1)
    return total, terms


def global_counts(
    inputs: LossInputs,
    losses: Mapping[str, LossSettings],
    *,
    axis_name: str | None = None,
) -> dict[str, Float[Array, ""]]:
    """Return what each loss that is on counts in `inputs` of all devices.

    A loss counts pixels, frames or pairs of them, whatever the network says: the map logits may be
    of any value.
    """
    counts = {
        name: LOSSES[name](inputs, **_parameters(settings))[1]
        for name, settings in losses.items()
        if is_on(settings)
    }
    return counts if axis_name is None else jax.lax.psum(counts, axis_name)


def _parameters(settings: LossSettings) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key not in SCHEDULE}


def _check(name: str, settings: LossSettings) -> None:
    if name not in LOSSES:
        raise InputError(
            f"Unknown loss {name!r}: choose from {', '.join(sorted(LOSSES))}, or put it into "
            "tcam_jax.LOSSES."
        )
    if "weight" not in settings:
        raise InputError(f"The loss {name!r} has no weight: set losses.{name}.weight.")
