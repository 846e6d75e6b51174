"""A run that was killed or told to stop ends, started again, with the numbers of one that was not.

Thirty runs at random times: `python -m tests.launch.chaos`.
"""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from tcam_jax.runtime.interruption import EXIT_STATUS
from tcam_jax.train.checkpoint import Checkpoints
from tcam_jax.train.logs import read_metrics
from tcam_jax.train.orbax_items import read_item
from tests.launch.conftest import ROOT, TRAINED


def last_state(stage: Path) -> dict:
    """Return the newest checkpoint's arrays."""
    folder = stage / "checkpoints" / str(Checkpoints(stage / "checkpoints").newest())
    return {item: read_item(folder / item) for item in ("variables", "optimizer")}


def assert_same_run(one: Path, other: Path) -> None:
    """The same bits in every number, and the same lines in every log of numbers."""
    for stage in ("classifier", "tcam"):
        jax.tree.map(
            np.testing.assert_array_equal, last_state(one / stage), last_state(other / stage)
        )
        metrics = [read_metrics(run / stage / "metrics.jsonl") for run in (one, other)]
        assert metrics[0] == metrics[1]
    results = [json.loads((run / "results.json").read_text()) for run in (one, other)]
    for result in results:
        del result["seconds_per_frame"]
    assert results[0] == results[1]
    predictions = [(run / "predictions.jsonl").read_bytes() for run in (one, other)]
    assert predictions[0] == predictions[1]


def _newest(stage: Path) -> int:
    """Return the step of the newest checkpoint, whole or not; 0 if there is none."""
    steps = (p.name for p in (stage / "checkpoints").glob("*"))
    return max((int(step) for step in steps if step.isdigit()), default=0)


def _stop_underway(
    command: list[str], environment: dict, stage: Path, steps: int, number: signal.Signals
) -> int:
    """Start `command`, signal it once it has gone on by `steps` in `stage`; return its status."""
    earlier = _newest(stage)
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 300
    while _newest(stage) < earlier + steps:
        assert process.poll() is None, "the run ended before it could be stopped"
        assert time.monotonic() < deadline, "the run stalled"
        time.sleep(0.01)
    time.sleep(random.uniform(0, 0.1))  # in a step, in the log, in the next save …
    process.send_signal(number)
    return process.wait(timeout=60)


@pytest.mark.slow
def test_killed_and_told_to_stop_and_resumed_equals_uninterrupted(
    tmp_path, shapes_data, trained, launch, environment
):
    arguments = (*TRAINED, f"--config.dataset.data_dir={shapes_data}")
    stopped = tmp_path / "stopped"
    command = [sys.executable, "-m", "launch.train", *arguments, f"--workdir={stopped}"]
    for stage, steps, number, status in (
        ("classifier", 2, signal.SIGKILL, -signal.SIGKILL),
        ("tcam", 4, signal.SIGTERM, EXIT_STATUS),  # the other signals: tests/runtime
    ):
        assert _stop_underway(command, environment, stopped / stage, steps, number) == status
    # In the middle of the epoch, as every step can be saved; the newest is gone.
    newest = Checkpoints(stopped / "tcam" / "checkpoints").newest()
    (stopped / "tcam" / "checkpoints" / str(newest) / "optimizer" / "_METADATA").unlink()
    resumed = launch("train", *arguments, f"--workdir={stopped}")
    assert "classifier: finished before" in resumed.stdout
    assert f"checkpoints/{newest} is damaged: optimizer/_METADATA is missing" in resumed.stdout
    assert "tcam: going on from step" in resumed.stdout
    assert_same_run(trained, stopped)
