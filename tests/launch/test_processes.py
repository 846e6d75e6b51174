"""Several real processes train as one does; when one of them dies, the others do not hang."""

import os
import signal
import subprocess
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from tcam_jax.runtime import partners
from tests.docs.fenced import code
from tests.launch.conftest import OFTEN_SAVED, ONE_MAP, ROOT, TINY
from tests.launch.test_interrupt import last_state


def _ids(workdir: Path) -> list[int]:
    """Return the ids of the processes that train in `workdir`."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                words = (process / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"launch.train" in words and f"--workdir={workdir}".encode() in words:
                found.append(int(process.name))
    return sorted(found)


@pytest.mark.slow
def test_two_processes_end_with_the_parameters_of_one(tmp_path, shapes_data, launch, environment):
    one, two = tmp_path / "one", tmp_path / "two"
    (tmp_path / "small.py").write_text(code("extending.md", "my_encoder.py"))
    sizes = [flag for flag in TINY if "encoder" not in flag and "=configs/" not in flag]
    arguments = [f"--config={tmp_path / 'small.py'}", *sizes, OFTEN_SAVED]
    arguments += [f"--config.dataset.data_dir={shapes_data}", "--config.tcam.seed_view=crop"]
    arguments += ["--config.precision=float64", "--config.model.decoder_width=0.25"]
    arguments += [*ONE_MAP, "--config.classifier.epochs=1", "--config.tcam.epochs=1"]
    x64 = {"JAX_ENABLE_X64": "1"}
    environment = environment | {**x64, "JAX_PLATFORMS": "cpu", "TERM_AFTER": "20"}
    launch("train", *arguments, f"--workdir={one}", **x64)

    def start(*mode: str) -> subprocess.Popen:
        command = ["bash", "launch/local_processes.sh", "2", *arguments, f"--workdir={two}"]
        return subprocess.Popen(
            [*command, *mode],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    # One of two is killed: the other notices, says so, and ends.
    running = start("--config.parallel=pmap")
    deadline = time.monotonic() + 300
    while not (two / "classifier" / "checkpoints" / "2").exists():
        assert running.poll() is None and time.monotonic() < deadline, running.communicate()[0]
        time.sleep(0.05)
    os.kill(_ids(two)[-1], signal.SIGKILL)
    output, _ = running.communicate(timeout=60)
    assert running.returncode in (partners.STATUS, 137), output
    assert output.count(partners._MESSAGE) == 1 and "Traceback" not in output, output

    # The same command goes on, in the mode of several; both stages end as one process's did.
    running = start()
    output, _ = running.communicate(timeout=500)
    assert running.returncode == 0, output
    assert "2 cpu device(s) of 2 process(es), shard_map" in output
    assert "classifier: going on from step" in output
    for stage in ("classifier", "tcam"):
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9),
            last_state(one / stage),
            last_state(two / stage),
        )
    assert (one / "results.json").exists() and (two / "results.json").exists()
    assert not _ids(two)


def test_who_is_who_must_be_said(launch):
    done = launch("train", *TINY, "--workdir=unused", "--distributed", status=2, JAX_PROCESS_ID="1")
    assert "JAX_COORDINATOR_ADDRESS" in done.stderr and "Traceback" not in done.stderr
