"""What comes again and again in a training: every so many steps, epochs or minutes."""

import math
import re
import time
from typing import NamedTuple

from tcam_jax.runtime import processes
from tcam_jax.runtime.errors import InputError

UNITS = ("steps", "epochs", "minutes")
_WORDS = re.compile(rf"(\S+) ({'|'.join(unit.removesuffix('s') for unit in UNITS)})s?")


class Every(NamedTuple):
    """An amount above 0 of one of `UNITS`."""

    amount: float
    unit: str


def every(text: str) -> Every:
    """Return what "100 steps", "1 epoch" or "10 minutes" says.

    Raises:
      InputError: it says nothing of that form, or steps that are no whole number.
    """
    found = _WORDS.fullmatch(text.strip()) if isinstance(text, str) else None
    try:
        amount = float(found[1]) if found else math.nan
    except ValueError:
        amount = math.nan
    unit = f"{found[2]}s" if found else ""
    if not 0 < amount < math.inf or (unit == "steps" and not amount.is_integer()):
        raise InputError(
            'it must be a number above 0 and a unit, such as "100 steps", "1 epoch" or '
            f'"10 minutes"; it is {text!r}.'
        )
    return Every(amount, unit)


class Recurring:
    """Tells at which steps it is time again.

    Steps and epochs are counted from the training's start, so that the answer depends on the step
    alone. Minutes are this process's clock's, looked at where metrics are written anyway; several
    processes follow the first one's.

    Args:
      of: how often.
      steps_per_epoch: of the training.
    """

    def __init__(self, of: Every, steps_per_epoch: int):
        self._seconds = of.amount * 60 if of.unit == "minutes" else None
        per_unit = steps_per_epoch if of.unit == "epochs" else 1
        # More steps than are ever counted; the product may be infinite.
        self._steps = max(round(min(of.amount * per_unit, 2**62)), 1)
        self._last = time.monotonic()

    def comes_at(self, step: int, metrics_are_written: bool) -> bool:
        """Tell whether it is time after `step`; all processes ask together."""
        seconds = self._seconds
        if seconds is None:
            return step % self._steps == 0
        if not metrics_are_written:
            return False
        now = time.monotonic()
        due = processes.all_reduce_any(processes.is_first() and now - self._last >= seconds)
        if due:
            self._last = now
        return due
