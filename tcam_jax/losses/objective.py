"""The training objective: the weighted sum of the configured loss terms.

A loss is a function `(inputs, **parameters) -> (sum, count)`; its value is `sum / count` over the
global batch. To add one, write it in a file of this folder and register it in `LOSSES`.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tcam_jax.errors import InputError
from tcam_jax.losses.crf import crf
from tcam_jax.losses.inputs import LossInputs
from tcam_jax.losses.partial_ce import partial_ce
from tcam_jax.losses.size import size

LOSSES = {"partial_ce": partial_ce, "crf": crf, "size": size}


def objective(
    inputs: LossInputs,
    losses: Mapping[str, Mapping],
    *,
    axis_name: str | None = None,
) -> tuple[Float[Array, ""], dict[str, tuple[Float[Array, ""], Float[Array, ""]]]]:
    """Combine the configured losses of this device's part of the batch.

    Differentiate the total on every device, then `psum` the gradients: each device divides its
    sums by the counts of the *global* batch, so the parts add up to the gradient of the global
    value, however unevenly the labelled pixels fall.

    Args:
      inputs: this device's samples.
      losses: for each loss its `weight` and its parameters, as in `config.tcam.losses`.
      axis_name: mapped axis the batch is split over; None if it is not split.

    Returns:
      This device's part of the total (the sum over devices is the objective), and for each loss
      the unweighted (sum, count) of the global batch, for logging. A loss that counts nothing, as
      `partial_ce` without labelled pixels, adds 0.

    Raises:
      ValueError: if a loss is unknown or has no weight.

    Source:
      TCAM equation 5.
    """
    total = jnp.zeros((), jnp.promote_types(inputs.map_logits.dtype, jnp.float32))
    terms = {}
    for name, settings in losses.items():
        loss, weight, parameters = _configured(name, settings)
        local_sum, local_count = loss(inputs, **parameters)
        logged = jax.lax.stop_gradient((local_sum, local_count))
        terms[name] = logged if axis_name is None else jax.lax.psum(logged, axis_name)
        count = terms[name][1]
        total += weight * local_sum / jnp.where(count > 0, count, 1)
    return total, terms


def _configured(name, settings):
    if name not in LOSSES:
        raise InputError(
            f"Unknown loss {name!r}: choose from {', '.join(sorted(LOSSES))}, or register it in "
            "tcam_jax/losses/objective.py."
        )
    parameters = dict(settings)
    if "weight" not in parameters:
        raise InputError(f"The loss {name!r} has no weight: set losses.{name}.weight.")
    return LOSSES[name], parameters.pop("weight"), parameters
