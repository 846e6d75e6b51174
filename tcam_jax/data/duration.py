"""How long a stage trains: in epochs, steps, examples or passes. Code sees steps.

An epoch is the paper's: `frames_per_shot` frames, one by default, of every shot. A pass is every
frame once, on average.
"""

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from tcam_jax.data.protocol import Counted, Data
from tcam_jax.runtime.errors import InputError

UNITS = ("epochs", "steps", "examples", "passes")

_WHOLE = ("epochs", "steps")
_MOST_STEPS = 2**31 - 1  # steps are counted in 32 bits on devices


class Duration(NamedTuple):
    """An amount above 0 of one of `UNITS`."""

    unit: str
    amount: float


def duration_of(section: Mapping[str, Any] | ConfigDict) -> Duration | None:
    """Return how long a stage trains; None: not at all, every one of `UNITS` is 0.

    Args:
      section: `config.classifier` or `config.tcam`.

    Raises:
      InputError: one is no number, negative or not finite; epochs or steps are not whole; or
        several are above 0.
    """
    given = {unit: section[unit] for unit in UNITS if section[unit]}
    for unit, amount in given.items():
        if not isinstance(amount, Real) or isinstance(amount, bool) or not 0 < amount < math.inf:
            raise InputError(f"{unit} must be 0 (not used) or greater; it is {amount}.")
        if unit in _WHOLE and amount != math.floor(amount):
            raise InputError(f"{unit} must be a whole number; it is {amount}.")
    if len(given) > 1:
        shown = " and ".join(f"{unit}={amount}" for unit, amount in given.items())
        raise InputError(
            f"exactly one of {', '.join(UNITS)} must say how long to train; {shown} are given. Set "
            "all but one to 0."
        )
    return next((Duration(*item) for item in given.items()), None)


class Plan(NamedTuple):
    """How long a stage trains, and what it sees meanwhile.

    Attributes:
      batch_size: of the global batch.
      steps_per_epoch, num_steps: lengths.
      frames: that there are to train on; None: the data does not say.
    """

    batch_size: int
    steps_per_epoch: int
    num_steps: int
    frames: int | None

    @property
    def examples(self) -> int:
        """Frames that are targets of a step, those that come again counted again."""
        return self.num_steps * self.batch_size

    @property
    def passes(self) -> float | None:
        """Times that a frame is a target, on average."""
        return None if self.frames is None else self.examples / self.frames


def plan_of(section: ConfigDict, data: Data) -> Plan:
    """Return the plan of a stage.

    Args:
      section: `config.classifier` or `config.tcam`.
      data: what it trains on.

    Raises:
      InputError: see `duration_of`; or passes are asked for and `data` does not count its frames;
        or these are more steps than can be counted.
    """
    duration, batch_size = duration_of(section), section.batch_size
    steps_per_epoch = data.steps_per_epoch(batch_size)
    frames = data.training_size().frames if isinstance(data, Counted) else None
    match duration:
        case None:
            steps = 0
        case Duration("epochs", epochs):
            steps = int(epochs) * steps_per_epoch
        case Duration("steps", count):
            steps = int(count)
        case Duration("examples", examples):
            steps = _ceil(examples, batch_size)
        case Duration(_, passes):
            if frames is None:
                raise InputError(
                    f"passes={passes} needs data with the member training_size (see "
                    "tcam_jax.data.protocol.Counted); say epochs, steps or examples instead."
                )
            steps = _ceil(passes * frames, batch_size)
    if steps > _MOST_STEPS:
        unit = "steps" if duration is None else duration.unit
        raise InputError(f"{unit} must make at most {_MOST_STEPS} steps, all that can be counted.")
    return Plan(batch_size, steps_per_epoch, steps, frames)


def _ceil(frames: int | float, batch_size: int) -> int:
    # Neither infinity has a whole number, nor has a float a number of 400 digits.
    return math.ceil(min(frames, _MOST_STEPS * batch_size + 1) / batch_size)
