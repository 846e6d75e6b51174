"""Where a run's numbers go: metrics.jsonl, TensorBoard, and one line or bar for the person."""

import json
import logging
import math
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from tqdm import tqdm

from tcam_jax.runtime.counted import few
from tcam_jax.runtime.files import cannot_write, write_whole
from tcam_jax.runtime.json_files import readable_lines
from tcam_jax.runtime.lock import check_held
from tcam_jax.runtime.log import is_terminal, log
from tcam_jax.runtime.shapes import LARGEST
from tcam_jax.train.tensorboard import Events


class MetricsWriter:
    """Appends one stage's metrics to `metrics.jsonl` and to TensorBoard files beside it.

    Each line holds "step", "epoch" and the metrics; validation metrics are named
    "validation_…". After a resume, lines beyond the restored step are dropped: they are made anew.
    Where the time went (`train.timing`) is no result: it goes to `timing.jsonl`, and stays there.

    While a validation runs beside later steps, their lines are held back: the files are those of a
    training that waited.

    Args:
      directory: of the stage.
      resumed_step: the restored step; -1 for none.
      validated: the restored step's validation was finished.

    Attributes:
      lines_before: those that were kept of before the resume.
    """

    def __init__(self, directory: Path, resumed_step: int, validated: bool = True):
        directory.mkdir(parents=True, exist_ok=True)
        self._path = directory / "metrics.jsonl"
        self._timing = directory / "timing.jsonl"
        self._held: list[tuple] | None = None  # arguments of `write`, of steps after a hold

        def stays(line: dict) -> bool:
            of_validation = any(name.startswith("validation_") for name in line)
            made_anew = of_validation and not validated and line["step"] == resumed_step
            return line["step"] <= resumed_step and not made_anew

        self.lines_before = kept = [line for line in read_metrics(self._path) if stays(line)]
        write_whole(self._path, "".join(json.dumps(line) + "\n" for line in kept))
        self._timing.touch()
        self._events = directory / "tensorboard"
        self._events.mkdir(exist_ok=True)
        self._purge_step = resumed_step + 1 if kept else None

    @cached_property
    def _tensorboard(self) -> Events:
        # When it is needed, a device works already: where PyTorch is installed, this loads it.
        return Events(self._events, self._purge_step)

    def write(
        self,
        step: int,
        epoch: float,
        metrics: Mapping[str, float | None],
        timing: Mapping[str, float] | None = None,
    ) -> None:
        """Record `metrics` (None: not measurable, such as CorLoc without boxes) of one step.

        Raises:
          InputError: they cannot be written.
        """
        if self._held is not None:
            self._held.append((step, epoch, metrics, timing))
            return
        named = {**metrics, **{f"time/{name}": value for name, value in (timing or {}).items()}}
        with self._writing(self._path):
            _append(self._path, {"step": step, "epoch": round(epoch, 4), **metrics})
        if timing is not None:
            with self._writing(self._timing):
                _append(self._timing, {"step": step, **timing})
        with self._writing(self._events):
            known = {name: value for name, value in named.items() if value is not None}
            self._tensorboard.scalars(step, known)

    def hold(self) -> None:
        """Keep what is written from now on until `release`; closed before, it is lost."""
        self._held = []

    def release(self, step: int, epoch: float, metrics: Mapping[str, float | None]) -> None:
        """Record what was waited for, then all that was held back.

        Raises:
          InputError: see `write`.
        """
        held, self._held = self._held or [], None
        self.write(step, epoch, metrics)
        for line in held:
            self.write(*line)

    def show(self, step: int, name: str, picture: np.ndarray | None) -> None:
        """Give TensorBoard a picture, uint8 `[h, w, 3]`, and let it see all that there is.

        Raises:
          InputError: see `write`.
        """
        with self._writing(self._events):
            if picture is not None:
                self._tensorboard.picture(step, name, picture)
            self._tensorboard.flush()

    def sync(self) -> None:
        """Return when what was written is on disk: no line may be newer than a checkpoint.

        Raises:
          InputError: see `write`.
        """
        with self._writing(self._path), _open_again(self._path) as file:
            os.fsync(file.fileno())

    def close(self) -> None:
        """Close TensorBoard's file, if there is one."""
        if "_tensorboard" in vars(self):
            self._tensorboard.close()

    @contextmanager
    def _writing(self, path: Path) -> Iterator[None]:
        check_held(path)
        try:
            yield
        except OSError as error:
            raise cannot_write(path, error) from error


def _append(path: Path, line: Mapping[str, int | float | None]) -> None:
    with _open_again(path) as file:
        file.write(json.dumps(line) + "\n")


def _open_again(path: Path) -> TextIO:
    """Open for appending a file that is there: one that is gone took the lines before with it."""
    return open(path, "a", opener=lambda name, flags: os.open(name, flags & ~os.O_CREAT))


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a metrics.jsonl or timing.jsonl.

    What is no such line, as a machine's crash may leave one, is left out with a warning; a last
    line that a kill cut off, without.
    """
    if not path.exists():
        return []
    advice = "Delete it: the curves of what was trained before are lost, and nothing else."
    found, damaged = [], []
    for number, (_, value) in enumerate(readable_lines(path, advice), 1):
        if _is_line(value):
            found.append(value)
        else:
            damaged.append(number)
    if damaged:
        log.warning("%s: what cannot be read is left out (line %s)", path, few(damaged))
    return found


def _is_line(value: Any) -> bool:
    if not isinstance(value, dict) or type(value.get("step")) is not int:
        return False
    # A metric may be NaN; an epoch is a place on an axis.
    known = all(
        type(x) in (float, type(None)) or (type(x) is int and abs(x) <= LARGEST)
        for x in value.values()
    )
    return known and math.isfinite(value.get("epoch", 0) or 0)


class Progress:
    """A bar (stage, step, loss, ETA) on a terminal; elsewhere a plain log line at each report."""

    def __init__(self, stage: str, first_step: int, num_steps: int):
        self._stage, self._total = stage, num_steps
        self._start, self._timed_from, self._compiled = time.monotonic(), first_step, False
        self._bar = tqdm(
            total=num_steps,
            initial=first_step,
            desc=stage,
            unit="step",
            disable=not is_terminal(sys.stderr) or not log.isEnabledFor(logging.INFO),
            dynamic_ncols=True,
        )

    def advance(self) -> None:
        """Count one started step."""
        if not self._compiled:  # the first step's time says nothing of the others'
            self._start, self._timed_from = time.monotonic(), self._timed_from + 1
            self._compiled = True
        self._bar.update()

    def report(self, step: int, loss: float | None, timing: Mapping[str, float]) -> None:
        """Show loss (None: no step was taken) and speed; without a terminal, the time left too."""
        shown = "skipped" if loss is None else f"{loss:.4g}"
        rate = timing["examples_per_second"]
        waiting = (
            100
            * timing["seconds_data"]
            / max(timing["seconds_data"] + timing["seconds_step"], 1e-9)
        )
        self._bar.set_postfix(loss=shown, speed=f"{rate:.0f}/s", data=f"{waiting:.0f}%")
        if self._bar.disable:
            elapsed = time.monotonic() - self._start
            left = elapsed / max(step - self._timed_from, 1) * (self._total - step)
            line = "%s step %d/%d loss %s, %.0f examples/s (%.0f %% waiting for data), ETA %.0fs"
            log.info(line, self._stage, step, self._total, shown, rate, waiting, left)

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()
