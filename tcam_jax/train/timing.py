"""Where a run's time goes: waiting for data, stepping, validating, saving; and how much memory."""

import resource
import sys
import time
from collections.abc import Mapping

import jax

from tcam_jax.runtime.stopwatch import Stopwatch


class Clock(Stopwatch):
    """Splits the time between two reports; what is not measured otherwise is time of steps.

    Measured are "data", "validation" and "save", where training waits for them; what is done
    beside training is told apart.

    A step is only started by the loop and runs on the device meanwhile: its time is seen where the
    loop waits for its numbers. So the steps' time is what remains of the whole.
    """

    def __init__(self):
        super().__init__()
        self._start = time.monotonic()
        self._beside: dict[str, float] = {}

    def report(self, steps: int, batch_size: int, beside: Mapping[str, float]) -> dict[str, float]:
        """Return the split since the last report, and start anew.

        Args:
          steps: since then.
          batch_size: of the global batch.
          beside: seconds of work beside training, by name, since training began.

        Returns:
          seconds_data, seconds_step, seconds_validation, seconds_save (all in seconds);
          seconds_NAME_beside for each of `beside`; examples_per_second, of data and steps alone;
          peak_memory_gib, see `peak_memory`.
        """
        now = time.monotonic()
        whole = now - self._start
        seconds = {name: self.seconds[name] for name in ("data", "validation", "save")}
        seconds["step"] = max(whole - sum(seconds.values()), 0.0)
        training = max(seconds["data"] + seconds["step"], 1e-9)
        self._start = now
        self.seconds.clear()
        report = {
            **{f"seconds_{name}": round(value, 4) for name, value in seconds.items()},
            **{
                f"seconds_{name}_beside": round(value - self._beside.get(name, 0.0), 4)
                for name, value in beside.items()
            },
            "examples_per_second": round(steps * batch_size / training, 2),
            "peak_memory_gib": round(peak_memory() / 2**30, 3),
        }
        self._beside = dict(beside)
        return report


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
