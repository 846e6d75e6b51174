"""Starting commands, and disturbing them at a time drawn at random."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.launch.conftest import OFTEN_SAVED, ROOT, TINY

BOUND = 60  # seconds from a signal, or the loss of another process, to the end
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class World:
    """What all kinds of disturbance share.

    Attributes:
      folder: of everything that is made.
      draws: what happens when.
      environment: of every command, one CPU device.
    """

    def __init__(self, folder: Path, seed: int):
        self.folder, self.draws = folder, random.Random(seed)
        self.environment = os.environ | {
            "XLA_FLAGS": "",
            "JAX_PLATFORMS": "cpu",
            "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.3",
        }

    def start(
        self, said: str, name: str, *arguments: str, stdout: int | None = None, **variables: str
    ) -> subprocess.Popen:
        """Start `python -m launch.NAME`; what it says is added to the file `said`.txt."""
        with (self.folder / f"{said}.txt").open("a") as output:
            return subprocess.Popen(
                [sys.executable, "-m", f"launch.{name}", *arguments],
                cwd=ROOT,
                env=self.environment | variables,
                stdin=subprocess.DEVNULL,
                stdout=output if stdout is None else stdout,
                stderr=output,
            )

    def train(
        self, workdir: Path, *more: str, stdout: int | None = None, **variables: str
    ) -> subprocess.Popen:
        """Start both stages of the shrunk demo."""
        data = f"--config.dataset.data_dir={self.folder / 'data'}"
        arguments = [*TINY, OFTEN_SAVED, data, f"--workdir={workdir}", *more]
        return self.start(workdir.name, "train", *arguments, stdout=stdout, **variables)

    def said(self, name: str) -> str:
        """Return the end of what `name` said."""
        return (self.folder / f"{name}.txt").read_text()[-1500:]


def wait(
    process: subprocess.Popen, delay: float, go_on: Callable[[], bool] = lambda: False
) -> bool:
    """Wait so long, and while `go_on`; tell whether the process still runs."""
    try:
        process.wait(timeout=delay)
        return False
    except subprocess.TimeoutExpired:
        pass
    while process.poll() is None and go_on():
        time.sleep(0.0005)
    return process.poll() is None


def disturb(
    world: World,
    start: Callable[[], subprocess.Popen],
    length: float,
    in_save: Callable[[], bool] | None = None,
) -> list[str]:
    """Start and signal a command one to three times; return how each ended: saved, by it, or well.

    Args:
      world: the draws.
      start: what is started, again and again.
      length: seconds that it takes undisturbed.
      in_save: tells whether it is saving now: then the half of the signals come then.
    """
    told: list[str] = []
    for _ in range(world.draws.randint(1, 3)):
        number, delay = world.draws.choice(SIGNALS), world.draws.uniform(0.5, length)
        saving = in_save if in_save is not None and world.draws.random() < 0.5 else None
        process = start()
        if wait(process, delay, lambda: saving is not None and not saving()):  # noqa: B023
            process.send_signal(number)
            began = time.monotonic()
            status = process.wait(timeout=BOUND)
            where = " in a save" if saving else ""
            told.append(
                f"{number.name}{where} after {delay:.1f} s: status {status} in "
                f"{time.monotonic() - began:.1f} s"
            )
            # Before anything heeds it: by the signal itself, at Ctrl-C with 130 and a line.
            allowed = {-number, 130} if number == signal.SIGINT else {-number}
            allowed |= {75} if number != signal.SIGKILL else set()
            assert status in allowed or status == 0, told[-1]
        else:
            status = process.returncode
            told.append("ended before")
        if status == 0:
            return told
    return told


def ends_well(world: World, said: str, process: subprocess.Popen, bound: float = 900) -> None:
    """Assert that the process ends with status 0."""
    status = process.wait(timeout=bound)
    assert status == 0, f"status {status} at last: {world.said(said)}"
