"""Where a run's numbers go: metrics.jsonl, TensorBoard, and one line or bar for the person."""

import json
import logging
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tensorboardX import SummaryWriter
from tqdm import tqdm

log = logging.getLogger("tcam_jax")


def start_logging(workdir: Path) -> None:
    """Send the package's log to standard output and, appending, to `workdir/log.txt`."""
    log.setLevel(logging.INFO)
    log.propagate = False
    log.handlers.clear()
    for handler in (_AboveTheBar(), logging.FileHandler(workdir / "log.txt")):
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        log.addHandler(handler)


class _AboveTheBar(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stdout)
        sys.stdout.flush()


class MetricsWriter:
    """Appends one stage's metrics to `metrics.jsonl` and to TensorBoard files beside it.

    Each line holds "step", "epoch" and the metrics; validation metrics are named
    "validation_…". After a resume, lines beyond the restored step are dropped: they are made anew.
    """

    def __init__(self, directory: Path, resumed_step: int):
        directory.mkdir(parents=True, exist_ok=True)
        self._path = directory / "metrics.jsonl"
        kept = [line for line in read_metrics(self._path) if line["step"] <= resumed_step]
        replacement = self._path.with_suffix(".tmp")
        replacement.write_text("".join(json.dumps(line) + "\n" for line in kept))
        os.replace(replacement, self._path)
        self._tensorboard = SummaryWriter(
            str(directory / "tensorboard"), purge_step=resumed_step + 1 if kept else None
        )

    def write(self, step: int, epoch: float, metrics: Mapping[str, float | None]) -> None:
        """Record `metrics` (None: not measurable, such as CorLoc without boxes) of one step."""
        line = {"step": step, "epoch": round(epoch, 4), **metrics}
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        for name, value in metrics.items():
            if value is not None:
                self._tensorboard.add_scalar(name, value, step)

    def close(self) -> None:
        """Flush TensorBoard's file."""
        self._tensorboard.close()


def read_metrics(path: Path) -> list[dict[str, int | float | None]]:
    """Return the lines of a metrics.jsonl; a last line cut off by a kill is left out."""
    if not path.exists():
        return []
    lines = path.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


class Progress:
    """A bar (stage, step, loss, ETA) on a terminal; elsewhere a plain log line at each report."""

    def __init__(self, stage: str, first_step: int, num_steps: int):
        self._stage, self._first, self._total = stage, first_step, num_steps
        self._start = time.monotonic()
        self._bar = tqdm(
            total=num_steps,
            initial=first_step,
            desc=stage,
            unit="step",
            disable=not sys.stderr.isatty(),
            dynamic_ncols=True,
        )

    def advance(self) -> None:
        """Count one finished step."""
        self._bar.update()

    def report(self, step: int, loss: float) -> None:
        """Show the loss; on a terminal in the bar, elsewhere as a line with the time left."""
        self._bar.set_postfix(loss=f"{loss:.4g}")
        if self._bar.disable:
            elapsed = time.monotonic() - self._start
            left = elapsed / max(step - self._first, 1) * (self._total - step)
            line = "%s step %d/%d loss %.4g ETA %.0fs"
            log.info(line, self._stage, step, self._total, loss, left)

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()
