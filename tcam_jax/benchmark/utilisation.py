"""How busy the device says it is: `nvidia-smi` asked again and again; other devices do not say."""

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_COMMAND = ("--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--loop-ms=500")


class Utilisation:
    """Percent of the time in which the first GPU worked; times are `time.monotonic`'s."""

    def __init__(self) -> None:
        self._samples: list[tuple[float, float]] = []

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Ask while inside, from a thread; without `nvidia-smi`, nothing is asked."""
        program = shutil.which("nvidia-smi")
        if program is None:
            yield
            return
        process = subprocess.Popen(
            [program, *_COMMAND, "--id=0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        thread = threading.Thread(target=self._read, args=(process.stdout,))
        thread.start()
        try:
            yield
        finally:
            process.terminate()
            process.wait()
            thread.join()

    def between(self, begin: float, end: float) -> float | None:
        """Return the mean of what was told from `begin` to `end`, 0..100; None: nothing was."""
        told = [percent for moment, percent in self._samples if begin <= moment < end]
        return sum(told) / len(told) if told else None

    def _read(self, lines: Iterator[str]) -> None:
        for line in lines:
            if line.strip().isdecimal():  # "[N/A]" where it is not told
                self._samples.append((time.monotonic(), float(line)))
