"""What to do about steps that were skipped because something was not finite.

One bad batch is passed over. Several in a row mean that the state itself has gone wrong: training
goes back to the last sound checkpoint, once, and on with the batches after the bad ones; the second
time it stops and says what was not finite, and in which frames.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tcam_jax.runtime import processes
from tcam_jax.runtime.errors import Diverged
from tcam_jax.runtime.files import write_whole
from tcam_jax.runtime.log import log

REPORT = "diverged.json"
REPORTED = 8  # skipped steps, at most

# Metrics of one step, on the host: name -> (sum, count).
StepMetrics = Mapping[str, tuple[float, float]]


class Skip(NamedTuple):
    """A step that changed nothing.

    Attributes:
      step: its number, from 1.
      in_a_row: how many there were up to it.
      terms: the metrics that were not finite.
    """

    step: int
    in_a_row: int
    terms: tuple[str, ...]


def means_and_skips(
    steps: Sequence[StepMetrics], last_step: int
) -> tuple[dict[str, float] | None, list[Skip]]:
    """Return the means over the steps that were taken (None: none was), and those that were not.

    Args:
      steps: metrics of consecutive steps.
      last_step: number of the last one, from 1.
    """
    skips, taken = [], []
    for number, metrics in enumerate(steps, start=last_step - len(steps) + 1):
        in_a_row = int(metrics["skipped_in_a_row"][0])
        if in_a_row == 0:
            taken.append(metrics)
            continue
        broken = tuple(name for name, (x, _) in metrics.items() if not math.isfinite(x))
        skips.append(Skip(number, in_a_row, broken))
    if not taken:
        return None, skips
    names = [name for name in taken[0] if name != "skipped_in_a_row"]
    sums = {name: sum(step[name][0] for step in taken) for name in names}
    counts = {name: sum(step[name][1] for step in taken) for name in names}
    return {name: float(sums[name] / max(counts[name], 1)) for name in names}, skips


def step_to_leave(skips: Sequence[Skip], most_in_a_row: int) -> int | None:
    """Return the step with which the state counts as gone wrong, or None.

    It does not depend on when one looks: a run that was stopped in between decides the same.
    """
    return next((skip.step for skip in skips if skip.in_a_row == most_in_a_row), None)


def report_skips(stage: str, skips: Sequence[Skip]) -> None:
    """Log the skipped steps."""
    for skip in skips:
        log.warning(
            "%s step %d skipped: %s not finite (%d in a row)",
            stage,
            skip.step,
            ", ".join(skip.terms) or "the gradient",
            skip.in_a_row,
        )


def diverged(
    directory: Path, skips: Sequence[Skip], frames: Sequence[Sequence[str]], last: int | None
) -> Diverged:
    """Write `diverged.json` into the stage's folder, and return the error to stop with.

    Args:
      directory: of the stage.
      skips: the last skipped steps.
      frames: for each, the ids of its batch's target frames.
      last: step of the newest sound checkpoint, None: there is none.
    """
    report = [
        {**skip._asdict(), "frames": list(ids)} for skip, ids in zip(skips, frames, strict=True)
    ]
    path = directory / REPORT
    if processes.is_first():
        content = {"skipped": report, "last_sound_checkpoint": last}
        write_whole(path, json.dumps(content, indent=1) + "\n")
    terms = sorted({term for skip in skips for term in skip.terms})
    return Diverged(
        f"{directory.name} diverged {'for good' if last is None else 'a second time'} by step "
        f"{skips[-1].step}: "
        f"{', '.join(terms) or 'the gradient'} not finite in {skips[-1].in_a_row} steps in a row. "
        f"The frames of these batches are listed in {path}. Lower the learning rate or the weight "
        f"of that loss, in another workdir; the last sound checkpoint is of step {last}."
    )
