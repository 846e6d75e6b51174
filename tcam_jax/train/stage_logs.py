"""What a stage's loop tells of itself: files of metrics, by the first process, and progress."""

from collections.abc import Mapping

from tcam_jax.runtime import processes
from tcam_jax.runtime.log import log
from tcam_jax.train.logs import MetricsWriter, Progress
from tcam_jax.train.seed_overfitting import SeedOverfitting
from tcam_jax.train.stage import Stage, Validation


class StageLogs:
    """The logs of one stage. All processes open them together.

    Args:
      stage: whose logs they are.
      step: from which it goes on; -1: it begins.
      validated: nothing is left to do at that step.
    """

    def __init__(self, stage: Stage, step: int, validated: bool):
        self._name, self._steps_per_epoch = stage.directory.name, stage.steps_per_epoch
        self._progress = Progress(self._name, max(step, 0), stage.num_steps)
        self._writer: MetricsWriter | None = None

        def open_writer() -> None:
            self._writer = MetricsWriter(stage.directory, step, validated)

        processes.broadcast(open_writer)
        before = self._writer.lines_before if self._writer else ()
        self._overfitting = SeedOverfitting(before, stage.seeds_given)

    def advance(self) -> None:
        """Count one started step."""
        self._progress.advance()

    def training(
        self, step: int, means: Mapping[str, float] | None, skipped: int, timing: dict[str, float]
    ) -> None:
        """Tell how the last steps went; means are None where none was taken."""
        if self._writer is not None:
            metrics = {**(means or {}), "skipped": float(skipped)}
            self._writer.write(step, step / self._steps_per_epoch, metrics, timing)
            self._overfitting.see(step, metrics)
        self._progress.report(step, means and means["loss"], timing)

    def validation_begins(self) -> None:
        """Hold the files' next lines back until `validation`, as if training waited."""
        if self._writer is not None:
            self._writer.hold()

    def validation(self, step: int, validation: Validation) -> None:
        """Tell what came of the validation of `step`."""
        metrics, picture = validation.metrics, validation.picture
        if self._writer is not None:
            self._writer.release(step, step / self._steps_per_epoch, metrics)
            self._writer.show(step, "validation_maps", picture)
        log.info("%s step %d: %s", self._name, step, _words(metrics))
        if self._writer is not None and (told := self._overfitting.see(step, metrics)):
            log.warning("%s: %s", self._name, told)

    def sync(self) -> None:
        """Return when the lines are on disk: none may be missing there in a checkpoint's."""
        if self._writer is not None:
            self._writer.sync()

    def close(self) -> None:
        """Flush what can be; lines held back are lost."""
        self._progress.close()
        if self._writer is not None:
            self._writer.close()


def _words(metrics: Mapping[str, float | None]) -> str:
    return ", ".join(
        f"{name} {'unknown' if value is None else format(value, '.4g')}"
        for name, value in metrics.items()
    )
