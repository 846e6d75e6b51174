"""A training stage as the loop sees it, and the mark that says it is finished."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import PyTree

from tcam_jax.models.tcam import Variables
from tcam_jax.runtime.files import write_whole
from tcam_jax.runtime.json_files import damaged, read_small
from tcam_jax.runtime.parallel import Step
from tcam_jax.runtime.recurring import Every
from tcam_jax.train.state import TrainState

FINISHED = "finished"  # a file in the stage's folder; it holds the number of the last step
IMPORTED = 0  # that number where the weights came from elsewhere


class Validation(NamedTuple):
    """What validation of a stage tells.

    Attributes:
      metrics: to log; None is unknown.
      scores: {role: score}; the step with the highest one gets the role.
      picture: of some frames' maps, uint8 `[h, w, 3]`; None: there is nothing to show.
    """

    metrics: Mapping[str, float | None]
    scores: Mapping[str, float]
    picture: np.ndarray | None


Conclude = Callable[[], Validation]
"""The end of a validation: all processes call it together."""

Validate = Callable[[Variables, int, Callable[[], None]], Conclude]
"""The work of a validation: (trained variables, on this process's devices; finished steps; check).

It runs in a thread beside later steps, so it may not meet other processes. Between batches it calls
`check`, which raises where nobody waits for it any more.
"""


class Stage(NamedTuple):
    """One training stage, ready to run.

    Attributes:
      directory: where its checkpoints and logs go; its name is the stage's name.
      step: the pure step, see `train.step`.
      state: the initial state, on the host or on one device.
      frozen: constant argument of the step, or None.
      batches: (first, stop) -> iterator of this process's batches number first … stop - 1.
      frames_of: number of a batch -> ids of its target frames, for reports.
      validate: the first part of a validation, see `Validate`.
      batch_size: of the global batch.
      steps_per_epoch, num_steps: lengths.
      validate_every: how often; step 0 and the last step are validated in any case.
      seeds_given: steps before seeds are drawn from the network's own maps; None: they never are.
    """

    directory: Path
    step: Step
    state: TrainState
    frozen: PyTree
    batches: Callable[[int, int], Iterator[Mapping[str, np.ndarray]]]
    frames_of: Callable[[int], Sequence[str]]
    validate: Validate
    batch_size: int
    steps_per_epoch: int
    num_steps: int
    validate_every: Every
    seeds_given: int | None = None


def is_finished(directory: Path) -> bool:
    """Tell whether the stage in `directory` has been trained to its end."""
    return (directory / FINISHED).exists()


def last_step(directory: Path) -> int | None:
    """Return the number of steps of the finished stage in `directory`; None: it is not finished.

    Raises:
      InputError: the mark that says so cannot be read.
    """
    if not is_finished(directory):
        return None
    path = directory / FINISHED
    advice = "Delete it, and run `tcam train` there again: it goes on from the last checkpoint."
    content = read_small(path, advice, largest=64).strip()
    if not re.fullmatch(rb"[0-9]{1,15}", content):
        raise damaged(path, f"it must hold the number of the last step; it is {content!r}", advice)
    return int(content)


def reopen(directory: Path) -> None:
    """Take the mark away from a finished stage, to train it for longer."""
    (directory / FINISHED).unlink()


def finish(directory: Path, step: int) -> None:
    """Mark the stage in `directory` as trained to its end, of `step` steps."""
    write_whole(directory / FINISHED, f"{step}\n")
