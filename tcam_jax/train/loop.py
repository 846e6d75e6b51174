"""The order of operations of a training stage: step, log, evaluate, save. Nothing else.

A run that was stopped goes on from its newest checkpoint. Batches, random keys, learning rate and
barrier are functions of the step, so a resumed run computes what an uninterrupted one would have.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import PyTree

from tcam_jax.models.tcam import Variables
from tcam_jax.train.checkpoint import Checkpoints, Roles
from tcam_jax.train.logs import MetricsWriter, Progress, log
from tcam_jax.train.parallel import Parallel, Step
from tcam_jax.train.state import TrainState

LOG_EVERY = 10  # steps
FINISHED = "finished"  # an empty file in the stage's folder

# Validation of a stage: (trained variables, finished steps) -> (metrics to log, {role: score}).
Validation = tuple[Mapping[str, float | None], Mapping[str, float]]


class Stage(NamedTuple):
    """One training stage, ready to run.

    Attributes:
      directory: where its checkpoints and logs go; its name is the stage's name.
      step: the pure step, see `train.step`.
      state: the initial state, on the host or on one device.
      frozen: constant argument of the step, or None.
      batches: first step -> iterator of host batches from there to the end.
      validate: see `Validation`.
      steps_per_epoch, num_steps: lengths.
    """

    directory: Path
    step: Step
    state: TrainState
    frozen: PyTree
    batches: Callable[[int], Iterator[Mapping[str, np.ndarray]]]
    validate: Callable[[Variables, int], Validation]
    steps_per_epoch: int
    num_steps: int


def is_finished(directory: Path) -> bool:
    """Tell whether the stage in `directory` has been trained to its end."""
    return (directory / FINISHED).exists()


def is_started(directory: Path) -> bool:
    """Tell whether the stage in `directory` has a checkpoint to go on from."""
    return any(path.name.isdigit() for path in (directory / "checkpoints").glob("*"))


def finish(directory: Path) -> None:
    """Mark the stage in `directory` as trained to its end."""
    (directory / FINISHED).touch()


def run(stage: Stage, parallel: Parallel, save_every: int) -> None:
    """Train `stage` from its newest checkpoint, or from its start, to its end."""
    name = stage.directory.name
    checkpoints = Checkpoints(stage.directory / "checkpoints")
    first = checkpoints.latest_step
    state, roles = parallel.place(stage.state), {}
    if first is not None:
        state, roles = checkpoints.restore(first, state)
        log.info("%s: going on from step %d of %d", name, first, stage.num_steps)
    writer = MetricsWriter(stage.directory, resumed_step=-1 if first is None else first)

    def validate_and_save(step: int, state: TrainState, roles: Roles, validate: bool) -> Roles:
        if validate:
            metrics, scores = stage.validate(state.variables, step)
            writer.write(step, step / stage.steps_per_epoch, metrics)
            log.info("%s step %d: %s", name, step, _words(metrics))
            roles = _update_roles(roles, step, scores)
        checkpoints.save(step, state, roles)
        return roles

    if first is None:
        roles = validate_and_save(0, state, roles, validate=True)
        first = 0

    step_fn = parallel.compile(stage.step)
    frozen = parallel.place(stage.frozen)
    progress = Progress(name, first, stage.num_steps)
    pending: list[Mapping[str, Any]] = []
    for step, batch in enumerate(stage.batches(first), start=first + 1):
        state, metrics = step_fn(state, frozen, parallel.shard(batch))
        pending.append(metrics)
        progress.advance()
        epoch_ends = step % stage.steps_per_epoch == 0
        saves = epoch_ends or step % save_every == 0
        if saves or step % LOG_EVERY == 0:
            means = _means(jax.device_get(pending))
            pending.clear()
            _require_finite(means, step)  # before a diverged state could be saved
            writer.write(step, step / stage.steps_per_epoch, means)
            progress.report(step, means["loss"])
        if saves:
            roles = validate_and_save(step, state, roles, validate=epoch_ends)
    progress.close()
    writer.close()
    checkpoints.close()
    finish(stage.directory)


def _update_roles(roles: Roles, step: int, scores: Mapping[str, float]) -> Roles:
    """Return `roles` with the better scores of this step; the first of equals stays."""
    better = {
        role: {"step": step, "value": score}
        for role, score in scores.items()
        if role not in roles or score > roles[role]["value"]
    }
    return {**roles, **better}


def _means(steps: list[Mapping[str, tuple[np.ndarray, np.ndarray]]]) -> dict[str, float]:
    sums = {name: sum(step[name][0] for step in steps) for name in steps[0]}
    counts = {name: sum(step[name][1] for step in steps) for name in steps[0]}
    return {name: float(sums[name] / max(counts[name], 1)) for name in sums}


def _require_finite(means: Mapping[str, float], step: int) -> None:
    broken = [name for name, value in means.items() if not math.isfinite(value)]
    if broken:
        raise RuntimeError(
            f"training diverged by step {step}: {', '.join(broken)} not finite. "
            "Lower the learning rate or the weight of that loss; checkpoints up to here are kept."
        )


def _words(metrics: Mapping[str, float | None]) -> str:
    return ", ".join(
        f"{name} {'unknown' if value is None else format(value, '.4g')}"
        for name, value in metrics.items()
    )
