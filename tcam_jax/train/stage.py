"""A training stage as the loop sees it, and the mark that says it is finished."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import PyTree

from tcam_jax.models.tcam import Variables
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.files import write_whole
from tcam_jax.runtime.parallel import Step
from tcam_jax.train.state import TrainState

FINISHED = "finished"  # a file in the stage's folder; it holds the number of the last step


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


class Stage(NamedTuple):
    """One training stage, ready to run.

    Attributes:
      directory: where its checkpoints and logs go; its name is the stage's name.
      step: the pure step, see `train.step`.
      state: the initial state, on the host or on one device.
      frozen: constant argument of the step, or None.
      batches: (first, stop) -> iterator of this process's batches number first … stop - 1.
      frames_of: number of a batch -> ids of its target frames, for reports.
      validate: (trained variables, on this process's devices; finished steps) -> `Validation`.
      batch_size: of the global batch.
      steps_per_epoch, num_steps: lengths.
    """

    directory: Path
    step: Step
    state: TrainState
    frozen: PyTree
    batches: Callable[[int, int], Iterator[Mapping[str, np.ndarray]]]
    frames_of: Callable[[int], Sequence[str]]
    validate: Callable[[Variables, int], Validation]
    batch_size: int
    steps_per_epoch: int
    num_steps: int


def is_finished(directory: Path) -> bool:
    """Tell whether the stage in `directory` has been trained to its end."""
    return (directory / FINISHED).exists()


def last_step(directory: Path) -> int | None:
    """Return the number of steps of the finished stage in `directory`; None: it is not finished.

    Raises:
      InputError: an earlier version finished it.
    """
    if not is_finished(directory):
        return None
    text = (directory / FINISHED).read_text().strip()
    if not text.isdecimal():
        raise InputError(
            f"{directory} was trained by an earlier version, whose runs cannot be used. Train in "
            "another workdir; --config.model.pretrained=FOLDER takes over the weights of a "
            "checkpoint's folder."
        )
    return int(text)


def finish(directory: Path, step: int) -> None:
    """Mark the stage in `directory` as trained to its end, of `step` steps."""
    write_whole(directory / FINISHED, f"{step}\n")
