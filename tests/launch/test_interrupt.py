"""A killed run, started again, ends with the very numbers of an uninterrupted one."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

from tcam_jax.train.logs import read_metrics
from tests.launch.conftest import ROOT, TINY


def _last_state(stage: Path) -> dict:
    manager = ocp.CheckpointManager((stage / "checkpoints").absolute())
    args = {item: ocp.args.StandardRestore() for item in ("variables", "optimizer")}
    restored = manager.restore(manager.latest_step(), args=ocp.args.Composite(**args))
    manager.close()
    return {name: restored[name] for name in args}


def _kill_when(command: list[str], environment: dict, stage: Path, step: int) -> None:
    """Start `command` and SIGKILL it once a checkpoint of `stage` is at `step` or beyond."""
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        done = [int(p.name) for p in (stage / "checkpoints").glob("*") if p.name.isdigit()]
        if done and max(done) >= step:
            time.sleep(random.uniform(0, 0.3))  # in a step, in the log, in the next save …
            break
        time.sleep(0.01)
    assert process.poll() is None, "the run ended, or stalled, before it could be killed"
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.slow
def test_killed_twice_and_resumed_equals_uninterrupted(tmp_path, shapes_data, launch, environment):
    arguments = (*TINY, f"--config.dataset.data_dir={shapes_data}")
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    launch("train", *arguments, f"--workdir={straight}")

    command = [sys.executable, "-m", "launch.train", *arguments, f"--workdir={killed}"]
    _kill_when(command, environment, killed / "classifier", random.randint(2, 8))
    _kill_when(command, environment, killed / "tcam", random.randint(2, 8))
    resumed = launch("train", *arguments, f"--workdir={killed}")
    assert "classifier: finished before" in resumed.stdout
    assert "tcam: going on from step" in resumed.stdout

    for stage in ("classifier", "tcam"):
        jax.tree.map(
            np.testing.assert_array_equal,
            _last_state(straight / stage),
            _last_state(killed / stage),
        )
        metrics = [read_metrics(run / stage / "metrics.jsonl") for run in (straight, killed)]
        assert metrics[0] == metrics[1]
    results = [json.loads((run / "results.json").read_text()) for run in (straight, killed)]
    assert results[0]["rows"] == results[1]["rows"]

    start = time.monotonic()
    again = launch("train", *arguments, f"--workdir={killed}")
    assert "tcam: finished before" in again.stdout
    assert time.monotonic() - start < 60
