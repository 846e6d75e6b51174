"""The order of operations of a training stage: step, log, validate, save. Nothing else.

A step is only started here; the devices work meanwhile. So do validations and saves, in threads of
their own (`runtime.beside`), on a copy of the state: one of each at most, and a step that is to be
validated or saved waits for the one before. Log lines of steps after a validated one are held back
until its scores are known, and a step is saved when it turned out the best at something: files and
numbers are those of a training that waits.

A run that was stopped goes on from its newest good checkpoint. Batches, random keys, learning rate
and barrier are functions of the state's counters, and the metrics not yet written are saved with
it, so a resumed run computes, and logs, what an uninterrupted one would have.
"""

from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree
from ml_collections import ConfigDict

from tcam_jax.runtime import processes
from tcam_jax.runtime.interruption import Interrupted, Interruption
from tcam_jax.runtime.log import log
from tcam_jax.runtime.parallel import Parallel, Step
from tcam_jax.runtime.recurring import Recurring, every
from tcam_jax.train import guard
from tcam_jax.train.checkpoint import Checkpoints
from tcam_jax.train.checkpoint_record import Record, Roles
from tcam_jax.train.saving import Saving, Snapshot, copied
from tcam_jax.train.stage import Stage, finish
from tcam_jax.train.stage_logs import StageLogs
from tcam_jax.train.timing import Clock
from tcam_jax.train.validating import Validating, better

LOG_EVERY = 10  # steps


def run(stage: Stage, parallel: Parallel, config: ConfigDict, stop: Interruption) -> None:
    """Train `stage` from its newest good checkpoint, or from its start, to its end.

    Args:
      stage, parallel: what is trained, and on which devices.
      config: the section `checkpoint` of a config.
      stop: asked after every step (several processes: when metrics are written), and in waiting.

    Raises:
      Interrupted: it was asked to stop; everything is saved, but for the steps after one whose
        validation was not finished.
      InputError: a checkpoint could not be saved.
      Diverged: see `train.guard`.
    """
    training = _Training(stage, parallel, config, stop)
    training.start()
    try:
        step = parallel.compile(stage.step)
        frozen = parallel.replicate(stage.frozen)
        while training.step < stage.num_steps:  # more than once only after a rollback
            training.go_on(step, frozen)
        training.finish()
    finally:
        training.close()


class _Training:
    """The loop's variables: the state, what the host knows of it, and what goes on beside it."""

    def __init__(self, stage: Stage, parallel: Parallel, config: ConfigDict, stop: Interruption):
        self._stage, self._parallel, self._config, self._stop = stage, parallel, config, stop
        self._name = stage.directory.name
        self._checkpoints = Checkpoints(
            stage.directory / "checkpoints", config.keep_last, config.keep_every_steps
        )
        self._saves = Recurring(every(config.every), stage.steps_per_epoch)
        self._validates = Recurring(stage.validate_every, stage.steps_per_epoch)
        self._saving = Saving(self._checkpoints)
        self._validating = Validating(stage.validate, parallel)
        self._clock = Clock()
        self.step = self._offset = 0  # the latter of the data, as in the state
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
            self._logs = StageLogs(self._stage, -1, validated=True)
            self._validate(self._snapshot())

    def go_on(self, step: Step, frozen: PyTree) -> None:
        """Train to the end, or to a rollback."""
        first, end = self.step + self._offset, self._stage.num_steps + self._offset
        batches = self._parallel.ahead(self._stage.batches(first, end))
        for batch in self._clock.waiting_for(batches, "data"):
            with jax.transfer_guard("disallow"):  # nothing goes to or from the host unasked
                self._state, metrics = step(self._state, frozen, batch)
            self.step += 1
            self._pending.append(metrics)
            self._logs.advance()
            logs = self.step % LOG_EVERY == 0
            last = self.step == self._stage.num_steps
            validates = self._validates.comes_at(self.step, logs) or last
            saves = self._saves.comes_at(self.step, logs) or self._checkpoints.stays(self.step)
            looks = logs or validates or saves
            if looks and self._look():
                return
            if validates or saves:
                self._conclude()
                self._begin(self._snapshot(), validates, saves)
            # Asking the other processes costs time: only where all wait for metrics anyway.
            if looks or jax.process_count() == 1:
                self._saving.check()
                if self._validating.is_done():
                    self._conclude()
                if self._stop.requested():
                    self._save_and_stop()

    def finish(self) -> None:
        self._conclude()
        self._saving.wait()
        if processes.is_first():
            finish(self._stage.directory, self.step)
        processes.barrier(f"{self._name} finished")

    def close(self) -> None:
        """End what goes on beside, and leave nothing open; also after an error."""
        self._validating.close()
        self._saving.close()
        self._logs.close()

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
        beside = {"validation": self._validating.seconds, "save": self._saving.seconds}
        timing = self._clock.report(self.step - self._timed_from, self._stage.batch_size, beside)
        self._timed_from = self.step
        self._logs.training(self.step, means, len(skips), timing)
        return False

    def _roll_back(self, left: int) -> None:
        self._conclude()
        self._saving.wait()
        sound = processes.broadcast(lambda: self._checkpoints.newest(sound=True))
        if sound is None or self._offset:  # once is enough
            frames = [self._stage.frames_of(s.step - 1 + self._offset) for s in self._skips]
            raise guard.diverged(self._stage.directory, self._skips, frames, sound)
        processes.broadcast(lambda: self._checkpoints.drop_after(sound))
        self._logs.close()
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
        self._timed_from = self._saving.last = step
        self._saving.sound = record.sound
        self._logs = StageLogs(self._stage, step, record.validated)
        if not record.validated:
            self._validate(self._snapshot())

    def _snapshot(self) -> Snapshot:
        return Snapshot(self.step, copied(self._state), sound=self._in_a_row == 0)

    def _begin(self, snapshot: Snapshot, validates: bool, saves: bool) -> None:
        # No variable of the loop holds the snapshot: it goes when nothing needs it any more.
        if saves:
            self._save(snapshot, Record(self._roles, not validates, snapshot.sound))
        if validates:
            self._validate(snapshot)

    def _validate(self, snapshot: Snapshot) -> None:
        """Begin to validate `snapshot`; `_conclude` ends it."""
        self._logs.validation_begins()
        self._validating.start(snapshot)

    def _conclude(self) -> None:
        """Wait for the validation under way, if there is one; write what came of it."""
        snapshot = self._validating.snapshot
        if snapshot is None:
            return
        with self._clock.of("validation"):
            if not self._validating.wait(self._stop):
                self._save_and_stop()
            validation = self._validating.conclude()
        self._logs.validation(snapshot.step, validation)
        before, self._roles = self._roles, better(self._roles, snapshot.step, validation.scores)
        stays = self._roles != before or snapshot.step == self._stage.num_steps
        if snapshot.step == self._saving.last:
            record = Record(self._roles, sound=snapshot.sound and (stays or self._saving.sound))
            self._saving.amend(snapshot.step, record, self._logs.sync)
        elif stays:
            self._save(snapshot, Record(self._roles, sound=snapshot.sound))

    def _save(self, snapshot: Snapshot, record: Record) -> None:
        with self._clock.of("save"):
            self._saving.save(snapshot, record, self._logs.sync)

    def _save_and_stop(self) -> None:
        """Save, for the same command to go on.

        What is saved here is no place to come back to: it may lie between bad steps that were not
        looked at yet, and a run must not depend on when it was stopped.
        """
        snapshot = self._validating.snapshot
        if snapshot is not None:  # there it goes on, and validates anew
            record = Record(self._roles, validated=False, sound=False)
        else:
            snapshot = self._snapshot()
            record = Record(self._roles, sound=False, pending=self._fetched())
        if snapshot.step != self._saving.last:
            self._save(snapshot, record)
        self._saving.wait()
        raise Interrupted

    def _fetched(self) -> list[guard.StepMetrics]:
        self._pending = [
            {name: (float(x), float(count)) for name, (x, count) in metrics.items()}
            for metrics in jax.device_get(self._pending)
        ]
        return self._pending
