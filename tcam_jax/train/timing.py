"""Where a run's time goes: waiting for data, stepping, validating, saving; and how much memory."""

import resource
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import jax

T = TypeVar("T")


class Clock:
    """Splits the time between two reports; what is not measured otherwise is time of steps.

    A step is only started by the loop and runs on the device meanwhile: its time is seen where the
    loop waits for its numbers. So the steps' time is what remains of the whole.
    """

    def __init__(self):
        self._start = time.monotonic()
        self._seconds = {"data": 0.0, "validation": 0.0, "save": 0.0}

    @contextmanager
    def of(self, activity: str) -> Iterator[None]:
        """Count the time inside as `activity`: "validation" or "save"."""
        start = time.monotonic()
        try:
            yield
        finally:
            self._seconds[activity] += time.monotonic() - start

    def waiting_for(self, batches: Iterable[T]) -> Iterator[T]:
        """Yield `batches`, counting the time they take to come as "data"."""
        iterator = iter(batches)
        while True:
            with self.of("data"):
                batch = next(iterator, None)
            if batch is None:
                return
            yield batch

    def report(self, steps: int, batch_size: int) -> dict[str, float]:
        """Return the split since the last report, and start anew.

        Args:
          steps: since then.
          batch_size: of the global batch.

        Returns:
          seconds_data, seconds_step, seconds_validation, seconds_save (all in seconds);
          examples_per_second, of data and steps alone; peak_memory_gib, see `peak_memory`.
        """
        now = time.monotonic()
        whole = now - self._start
        seconds = {**self._seconds, "step": max(whole - sum(self._seconds.values()), 0.0)}
        training = max(seconds["data"] + seconds["step"], 1e-9)
        self._start, self._seconds = now, dict.fromkeys(self._seconds, 0.0)
        return {
            **{f"seconds_{name}": round(value, 4) for name, value in seconds.items()},
            "examples_per_second": round(steps * batch_size / training, 2),
            "peak_memory_gib": round(peak_memory() / 2**30, 3),
        }


def peak_memory() -> int:
    """Return the most memory used so far, bytes: of the fullest device here, or of the process.

    CPU devices do not say: their arrays lie in the process's memory.
    """
    stats = [device.memory_stats() for device in jax.local_devices()]
    peaks = [each["peak_bytes_in_use"] for each in stats if each and "peak_bytes_in_use" in each]
    if peaks:
        return max(peaks)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
