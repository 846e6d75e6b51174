"""The order of operations of a training stage: step, log, save, validate. Nothing else.

A run that was stopped goes on from its newest good checkpoint. Batches, random keys, learning rate
and barrier are functions of the state's counters, and the metrics not yet written are saved with
it, so a resumed run computes, and logs, what an uninterrupted one would have.
"""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree
from ml_collections import ConfigDict

from tcam_jax.runtime import processes
from tcam_jax.runtime.interruption import Interrupted, Interruption
from tcam_jax.runtime.log import log
from tcam_jax.runtime.parallel import Parallel, Step
from tcam_jax.train import guard
from tcam_jax.train.checkpoint import Checkpoints, Record, Roles
from tcam_jax.train.logs import MetricsWriter, Progress
from tcam_jax.train.stage import Stage, finish
from tcam_jax.train.timing import Clock

LOG_EVERY = 10  # steps


def run(stage: Stage, parallel: Parallel, config: ConfigDict, stop: Interruption) -> None:
    """Train `stage` from its newest good checkpoint, or from its start, to its end.

    Args:
      stage, parallel: what is trained, and on which devices.
      config: the section `checkpoint` of a config.
      stop: asked after every step (several processes: when metrics are written) and between the
        batches of a validation.

    Raises:
      Interrupted: it was asked to stop; everything is saved.
      InputError: a checkpoint could not be saved.
      Diverged: see `train.guard`.
    """
    training = _Training(stage, parallel, config, stop)
    training.start()
    step = parallel.compile(stage.step)
    frozen = parallel.replicate(stage.frozen)
    while training.step < stage.num_steps:  # more than once only after a rollback
        training.go_on(step, frozen)
    training.close()


class _Training:
    """The loop's variables: the state, what the host knows of it, and where it is written."""

    def __init__(self, stage: Stage, parallel: Parallel, config: ConfigDict, stop: Interruption):
        self._stage, self._parallel, self._config, self._stop = stage, parallel, config, stop
        self._name = stage.directory.name
        self._checkpoints = Checkpoints(
            stage.directory / "checkpoints", config.keep_last, config.keep_every_steps
        )
        self._clock = Clock()
        self.step = 0
        self._offset = 0  # of the data, as in the state
        self._roles: Roles = {}
        self._pending: list[Any] = []  # metrics of steps not yet written, maybe on the device
        self._in_a_row = 0  # skipped, up to where metrics were last looked at
        self._skips: list[guard.Skip] = []  # those in a row with them
        self._timed_from = 0

    def start(self) -> None:
        newest = processes.broadcast(self._checkpoints.newest)
        if newest is not None:
            self._restore(newest)
            log.info("%s: going on from step %d of %d", self._name, newest, self._stage.num_steps)
        else:
            self._state = self._parallel.replicate(self._stage.state)
            self._open_logs(-1, validated=True)
            self._save(validated=False)
            self._validate()

    def go_on(self, step: Step, frozen: PyTree) -> None:
        """Train to the end, or to a rollback."""
        first, end = self.step + self._offset, self._stage.num_steps + self._offset
        batches = self._parallel.ahead(self._stage.batches(first, end))
        for batch in self._clock.waiting_for(batches, "data"):
            with jax.transfer_guard("disallow"):  # nothing goes to or from the host unasked
                self._state, metrics = step(self._state, frozen, batch)
            self.step += 1
            self._pending.append(metrics)
            self._progress.advance()
            validates = (
                self.step % self._stage.validate_every == 0 or self.step == self._stage.num_steps
            )
            saves = validates or self.step % self._config.every_steps == 0
            looks = saves or self.step % LOG_EVERY == 0
            if looks and self._look():
                return
            if saves:
                self._save(validated=not validates)
            if validates:
                self._validate()
            # Asking the other processes costs time: only where all wait for metrics anyway.
            if (looks or jax.process_count() == 1) and self._stop.requested():
                if not saves:
                    self._save(validated=True, scheduled=False)
                raise Interrupted

    def close(self) -> None:
        self._progress.close()
        self._close_writer()
        if processes.is_first():
            finish(self._stage.directory, self.step)
        processes.barrier(f"{self._name} finished")

    def _look(self) -> bool:
        """Write the metrics of the last steps; return whether training went back to before them."""
        means, skips = guard.means_and_skips(self._fetched(), self.step)
        self._pending = []
        guard.report_skips(self._name, skips)
        self._skips = (self._skips + skips)[-guard.REPORTED :]
        self._in_a_row = skips[-1].in_a_row if skips and skips[-1].step == self.step else 0
        left = guard.step_to_leave(skips, self._config.skips_before_rollback)
        if left is not None:
            self._roll_back(left)
            return True
        timing = self._clock.report(self.step - self._timed_from, self._stage.batch_size)
        self._timed_from = self.step
        self._write((means or {}) | {"skipped": float(len(skips))}, timing)
        self._progress.report(self.step, means and means["loss"], timing)
        return False

    def _roll_back(self, left: int) -> None:
        sound = processes.broadcast(lambda: self._checkpoints.newest(sound=True))
        if sound is None or self._offset:  # once is enough
            frames = [self._stage.frames_of(s.step - 1 + self._offset) for s in self._skips]
            raise guard.diverged(self._stage.directory, self._skips, frames, sound)
        processes.broadcast(lambda: self._checkpoints.drop_after(sound))
        self._progress.close()
        self._close_writer()
        self._restore(sound)
        self._offset = left - sound
        self._state = self._state.replace(
            data_offset=self._parallel.replicate(np.int32(self._offset))
        )
        log.warning(
            "%s: %d steps in a row were skipped; back to step %d, and on with the batches after "
            "the bad ones",
            self._name,
            self._config.skips_before_rollback,
            sound,
        )

    def _restore(self, step: int) -> None:
        like = self._stage.state
        arrays = processes.broadcast_arrays(
            lambda: self._checkpoints.restore(step, like), lambda: like
        )
        record = Record(**processes.broadcast(lambda: self._checkpoints.record(step)._asdict()))
        self._state = self._parallel.replicate(arrays)
        self.step, self._offset = step, int(arrays.data_offset)
        self._roles, self._pending = record.roles, list(record.pending)
        self._in_a_row, self._skips = int(arrays.skipped_in_a_row), []
        self._timed_from = step
        self._open_logs(step, record.validated)
        if not record.validated:
            self._validate()

    def _validate(self) -> None:
        with self._clock.of("validation"):
            variables = self._parallel.local_view(self._state.variables)
            metrics, scores, picture = self._stage.validate(variables, self.step)
        self._write(metrics)
        if processes.is_first() and picture is not None:
            self._writer.show(self.step, "validation_maps", picture)
        log.info("%s step %d: %s", self._name, self.step, _words(metrics))
        self._roles = _better(self._roles, self.step, scores)
        record = Record(self._roles, sound=self._in_a_row == 0)
        processes.broadcast(lambda: self._checkpoints.amend(self.step, record))

    def _save(self, validated: bool, scheduled: bool = True) -> None:
        """Save; what is not `scheduled` is no place to come back to.

        It may lie between bad steps that were not looked at yet. And a run must not depend on when
        it was stopped.
        """
        with self._clock.of("save"):
            if processes.is_first():
                self._writer.sync()
            sound = scheduled and self._in_a_row == 0
            record = Record(self._roles, validated, sound, self._fetched())
            processes.broadcast(lambda: self._checkpoints.save(self.step, self._state, record))

    def _fetched(self) -> list[guard.StepMetrics]:
        self._pending = [
            {name: (float(x), float(count)) for name, (x, count) in metrics.items()}
            for metrics in jax.device_get(self._pending)
        ]
        return self._pending

    def _open_logs(self, resumed_step: int, validated: bool) -> None:
        self._progress = Progress(self._name, self.step, self._stage.num_steps)

        def open_writer() -> None:
            self._writer = MetricsWriter(self._stage.directory, resumed_step, validated)

        processes.broadcast(open_writer)

    def _close_writer(self) -> None:
        if processes.is_first():
            self._writer.close()

    def _write(
        self, metrics: Mapping[str, float | None], timing: Mapping[str, float] | None = None
    ) -> None:
        if processes.is_first():
            epoch = self.step / self._stage.steps_per_epoch
            self._writer.write(self.step, epoch, metrics, timing)


def _better(roles: Roles, step: int, scores: Mapping[str, float]) -> Roles:
    """Return `roles` with the better scores of this step; the first of equals stays."""
    better = {
        role: {"step": step, "value": score}
        for role, score in scores.items()
        if role not in roles or score > roles[role]["value"]
    }
    return {**roles, **better}


def _words(metrics: Mapping[str, float | None]) -> str:
    return ", ".join(
        f"{name} {'unknown' if value is None else format(value, '.4g')}"
        for name, value in metrics.items()
    )
