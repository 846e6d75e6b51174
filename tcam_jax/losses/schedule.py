"""How much a loss counts in an epoch: settings that every loss has, besides its parameters.

- `weight`: of the loss; 0 and no `final_weight`: the loss is off, neither computed nor logged.
- `final_weight`: the weight goes to it linearly, from `weight` in the loss's first epoch; None: it
  stays.
- `start_epoch`, `end_epoch`: first and last epoch (counted from 1) in which it trains; None: to the
  end. Outside it is measured and logged all the same.
- `adaptive`: divide by the magnitude of the loss itself, without gradient, so that the term is
  always `weight` large (CoLo-CAM). For energies that stay away from 0, such as the CRFs': of a loss
  that is minimised to 0 the gradient would grow without bound.
"""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, TypedDict, cast, get_args

import jax.numpy as jnp
from jaxtyping import Array, Float, Int
from ml_collections import ConfigDict

LossSettings: TypeAlias = Mapping[str, Any] | ConfigDict
"""The settings of one loss: what `Schedule` has (the weight at least), and its own parameters."""


class Schedule(TypedDict):
    """The settings that every loss has, see the module."""

    weight: float
    final_weight: float | None
    start_epoch: int
    end_epoch: int | None
    adaptive: bool


SCHEDULE: Schedule = {
    "weight": 0.0,
    "final_weight": None,
    "start_epoch": 1,
    "end_epoch": None,
    "adaptive": False,
}
_Changing = Literal["final_weight", "start_epoch", "end_epoch"]
_CHANGING: tuple[_Changing, ...] = get_args(_Changing)


def is_on(settings: LossSettings) -> bool:
    """Tell whether the loss is ever used."""
    return bool(settings["weight"] or settings.get("final_weight"))


def is_scheduled(settings: LossSettings) -> bool:
    """Tell whether the weight changes during training."""
    values = _schedule(settings)
    return any(values[name] != SCHEDULE[name] for name in _CHANGING)


def weight_at(settings: LossSettings, epoch: Int[Array, ""] | int, epochs: int) -> Float[Array, ""]:
    """Return the weight in an epoch.

    Args:
      settings: of the loss, see the module.
      epoch: counted from 1.
      epochs: of the training, to which `final_weight` reaches without an `end_epoch`.
    """
    values = _schedule(settings)
    first = values["start_epoch"]
    weight: Array | float = values["weight"]
    last = epochs if values["end_epoch"] is None else values["end_epoch"]
    on = epoch >= first
    if values["end_epoch"] is not None:
        on &= epoch <= values["end_epoch"]
    if values["final_weight"] is not None:
        share = jnp.clip((epoch - first) / max(last - first, 1), 0, 1)
        weight = weight + share * (values["final_weight"] - weight)
    return jnp.where(on, weight, 0.0)


def _schedule(settings: LossSettings) -> Schedule:
    return cast(Schedule, {**SCHEDULE, **settings})
