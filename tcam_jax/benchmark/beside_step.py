"""Reading beside a step: whether a fast device waits for windows, and what bounds their number.

The device is modelled: it is busy for a given time with each batch, and uses no core of the host
meanwhile. As in training, the host starts a step and goes on; here it is at most one step ahead.

A number of cores is modelled too: `cores / processor seconds of a window` windows a second, but no
more than `1 / seconds of a window that Python's lock may be held`, whatever the cores. Everything
but decoding is counted as holding the lock, though part of it (reading files, copying) does not.
"""

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Any
from unittest import mock

import numpy as np

from tcam_jax.data import batch_reader
from tcam_jax.data.records import Split
from tcam_jax.data.sampler import ONCE
from tcam_jax.runtime.cores import usable_cores
from tcam_jax.runtime.parallel import Parallel

BATCH_SIZE, SEED = 32, 0
MODEL_CORES = 16
_SETTINGS = {"n": 1, "mode": "before"}


def measure(split: Split, size: int, step_s: float, steps: int, rounds: int) -> dict[str, Any]:
    """Reads windows of n = 1 beside a step, and without decoding, and part by part.

    Args:
      split: what to read.
      size: pixels; frames stored at it are not resized.
      step_s: of the modelled device, seconds for a batch of 32 windows.
      steps: of a round, after a few that are not counted.
      rounds: of waits the median counts, of processor seconds the fewest, since others who use the
        machine only add to them.

    Returns:
      `step_ms`; `windows_per_s`, what the device takes; `waits_percent` of the time the device has
      nothing to do; `taking_ms` of a step, the host takes a batch and puts it on the device, hidden
      under the step; `processor_ms`, of a window: `whole`, and its parts: `draw`, `read`, `decode`
      (resizing and touching fresh memory in it), `gather` (the rest of making a batch), `put`
      (on the device) and `rest` (tf.data, threads); `lock_ms`, of a window: what is left without
      decoding, the most that can hold Python's lock; `cores`, the model: for each number of cores
      `share`, the part of them that is busy at that rate, `windows_per_s` by cores, and `by_lock`.
    """
    parallel = Parallel("pmap")
    runs = [_beside(split, size, step_s, steps, parallel) for _ in range(rounds)]
    whole = min(run["processor_s"] for run in runs)
    with mock.patch("tcam_jax.data.windows.decode_into", _no_decoding):
        bare = [_beside(split, size, 0.0, steps, parallel) for _ in range(rounds)]
    alone = [_parts(split, size, min(steps, 8), parallel) for _ in range(rounds)]
    parts = {name: min(each[name] for each in alone) for name in alone[0]}
    # Without decoding caches stay warm: what is left beside it may take longer.
    locked = max(min(run["processor_s"] for run in bare), whole - parts["decode"])
    parts["rest"] = whole - sum(parts.values())
    rate = BATCH_SIZE / step_s
    return {
        "step_ms": 1e3 * step_s,
        "windows_per_s": rate,
        "waits_percent": statistics.median(run["waits_percent"] for run in runs),
        "taking_ms": statistics.median(run["taking_ms"] for run in runs),
        "processor_ms": {name: 1e3 * x for name, x in {"whole": whole, **parts}.items()},
        "lock_ms": 1e3 * locked,
        "cores": {
            str(cores): {
                "share": rate * whole / cores,
                "windows_per_s": cores / whole,
                "by_lock": 1 / locked,
            }
            for cores in sorted({usable_cores(), MODEL_CORES})
        },
    }


def run_beside(batches: Iterable[Any], step_s: float) -> tuple[int, float, float, float]:
    """Gives the batches to a device that is busy for `step_s` seconds with each.

    Returns:
      How many there were; seconds in all; seconds in which the device had nothing to do; seconds
      that the host spent on taking them. The first batch is not in any of them.
    """
    source = iter(batches)
    next(source)
    start = asked = time.perf_counter()
    free = start + step_s  # when the device will have done what it was given
    count, idle, taking = 0, 0.0, 0.0
    for _ in source:
        now = time.perf_counter()
        count, taking = count + 1, taking + now - asked
        idle += max(0.0, now - free)
        begins = max(now, free)
        free = begins + step_s
        time.sleep(begins - now)  # one step ahead of the device, no more
        asked = time.perf_counter()
    return count, max(free, asked) - start, idle, taking


def _beside(
    split: Split, size: int, step_s: float, steps: int, parallel: Parallel
) -> dict[str, float]:
    from tcam_jax.data.windows import training_batches  # imports TensorFlow

    def batches(first: int, count: int) -> Iterable[Any]:
        return training_batches(
            split,
            seed=SEED,
            first_step=first,
            num_steps=count,
            batch_size=BATCH_SIZE,
            resize_size=size,
            **_SETTINGS,
        )

    for _ in parallel.ahead(batches(steps, 2)):
        pass
    processor = time.process_time()
    count, seconds, idle, taking = run_beside(parallel.ahead(batches(0, steps)), step_s)
    return {
        "processor_s": (time.process_time() - processor) / (steps * BATCH_SIZE),
        "waits_percent": 100 * idle / seconds,
        "taking_ms": 1e3 * taking / count,
    }


def _no_decoding(jpeg: bytes, pixels: np.ndarray) -> None:
    """In the place of a decoder, which works without Python's lock."""


class _Seconds:
    """Adds up the processor seconds of this thread in the functions that it wraps."""

    def __init__(self) -> None:
        self.of: dict[str, float] = {}

    def __call__(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            start = time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.of[name] = self.of.get(name, 0.0) + time.thread_time() - start

        return timed


@dataclass(frozen=True)
class _TimedSplit(Split):
    """Reads as a split does; `timed` is told of it."""

    timed: _Seconds

    def read_jpeg(self, record: int) -> bytes:
        return self.timed("read", super().read_jpeg)(record)


def _parts(split: Split, size: int, steps: int, parallel: Parallel) -> dict[str, float]:
    """Processor seconds of a window, part by part, one thread making the batches."""
    from tcam_jax.data.bad_records import BadRecords
    from tcam_jax.data.decode import decode_into  # imports TensorFlow

    timed = _Seconds()
    own = {field.name: getattr(split, field.name) for field in fields(split)}
    windows = batch_reader.TrainingWindows(
        split=_TimedSplit(**own, timed=timed),
        seed=SEED,
        batch_size=BATCH_SIZE,
        size=size,
        rows=slice(None),
        visits=ONCE,
        with_boxes=False,
        decoder=timed("decode", decode_into),
        bad=BadRecords(split),
        seeds=None,
        **_SETTINGS,
    )
    draw = timed("draw", batch_reader.window_indices)
    with mock.patch.object(batch_reader, "window_indices", draw):
        for step in range(steps):
            batch = timed("gather", windows.batch)(step)
            timed("put", parallel.shard)(batch)
    of = timed.of
    of["gather"] -= of["draw"] + of["read"] + of["decode"]
    return {
        name: of[name] / (steps * BATCH_SIZE)
        for name in ("draw", "read", "decode", "gather", "put")
    }
