"""Runs killed at random, again and again: each must end with the bits of the undisturbed one.

    python -m tests.launch.chaos [--runs=30] [--seed=0] [--folder=FOLDER]

A run is both stages of the shrunk demo. Each is killed one to three times, by SIGKILL, SIGTERM or
SIGINT, at a time drawn uniformly over its length, or inside a save (while a folder named
`.STEP.unfinished` exists). Prints a line a run and the counts; status 1 if any ended differently.
"""

import argparse
import collections
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tcam_jax.data.builders.moving_shapes.frames import SPLITS
from tcam_jax.data.builders.registry import prepare
from tests.conftest import TINY as TINY_SPLITS
from tests.launch.conftest import OFTEN_SAVED, ROOT, TINY
from tests.launch.test_interrupt import assert_same_run

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
BOUND = 60  # seconds from SIGTERM or SIGINT to the end


def kill(process: subprocess.Popen, workdir: Path, number: int, delay: float, in_save: bool) -> str:
    """Signal the process after `delay`, if asked inside a save; return how it ended."""
    try:
        process.wait(timeout=delay)
        return "ended before"
    except subprocess.TimeoutExpired:
        pass
    while in_save and process.poll() is None and not any(workdir.glob("*/checkpoints/.*")):
        time.sleep(0.0005)
    process.send_signal(number)
    start = time.monotonic()
    status = process.wait(timeout=BOUND)
    seconds = time.monotonic() - start
    if status == 0:
        return "ended before"
    # By the signal itself: before the program could heed it, with nothing to save.
    expected = {-number} if number == signal.SIGKILL else {75, -number}
    assert status in expected, f"status {status} after {number.name}"
    where = " in a save" if in_save else ""
    return f"{number.name}{where} after {delay:.1f} s: status {status} in {seconds:.1f} s"


def main() -> int:
    """Run the undisturbed one, then the others."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="chaos"))
    draws, counts = random.Random(options.seed), collections.Counter()
    SPLITS.update(TINY_SPLITS)
    prepare("moving_shapes", "default", folder / "data")
    environment = os.environ | {
        "XLA_FLAGS": "",
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.3",
    }

    def start(workdir: Path) -> subprocess.Popen:
        command = [sys.executable, "-m", "launch.train", *TINY, OFTEN_SAVED, f"--workdir={workdir}"]
        command.append(f"--config.dataset.data_dir={folder / 'data'}")
        output = (folder / f"{workdir.name}.txt").open("a")
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )

    for name in ("first", "undisturbed"):  # the first one compiles
        began = time.monotonic()
        assert start(folder / name).wait() == 0
        length = time.monotonic() - began
    print(f"undisturbed: {length:.1f} s", flush=True)
    for run in range(options.runs):
        workdir, told = folder / f"run{run}", []
        for _ in range(draws.randint(1, 3)):
            number, in_save = draws.choice(SIGNALS), draws.random() < 0.4
            delay = draws.uniform(0.5, length)
            told.append(kill(start(workdir), workdir, number, delay, in_save))
            counts[told[-1].split(" after")[0].split(":")[0]] += 1
            if told[-1] == "ended before":
                break
        assert start(workdir).wait() == 0, f"{workdir} did not end; see {workdir}.txt"
        try:
            assert_same_run(folder / "undisturbed", workdir)
            assert not list(workdir.glob("*/checkpoints/*.damaged*")), "damaged by a kill"
            counts["runs identical"] += 1
            verdict = "identical"
        except AssertionError as error:
            counts["runs different"] += 1
            verdict = f"DIFFERENT: {error}"
        print(f"run {run}: {'; '.join(told)}; {verdict}", flush=True)
    print(", ".join(f"{name}: {count}" for name, count in sorted(counts.items())))
    return int(counts["runs different"] > 0)


if __name__ == "__main__":
    sys.exit(main())
