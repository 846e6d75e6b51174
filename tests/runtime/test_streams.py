"""Commands in shells that take standard output and error away from them."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tcam_jax.runtime import streams
from tests.launch.conftest import ROOT

# A command that logs like training and is stopped by a signal in the middle, which it may heed.
PROGRAM = """
import logging, os, signal, sys
from pathlib import Path
from tcam_jax.commands import command_line
from tcam_jax.runtime.interruption import Interruption
from tcam_jax.runtime.log import log, start_logging

workdir, number = Path(sys.argv.pop(1)), int(sys.argv.pop(1))


def main():
    with Interruption() as stop:
        start_logging(workdir)
        for step in range(2000):
            log.info("step %d: τ %s", step, "x" * 60)
            print("printed, \\udce9", step)
            print("to the other", step, file=sys.stderr)
            if step == 1000 and number:
                os.kill(os.getpid(), number)
            if stop.requested():
                log.info("saved")
                stop.check()
        (workdir / "first file opened").write_text("of ours alone")
        sys.stdout.flush()
        os.write(1, b"a library"), os.write(2, b"a library")


command_line.run(main)
"""
SHELL = {
    "head": "{} 2>&1 | head -n 1; exit ${{PIPESTATUS[0]}}",
    "head, errors kept": "{} | head -n 1; exit ${{PIPESTATUS[0]}}",
    "closed": "{} >&- 2>&-",
    "output closed": "{} >&-",
    "errors closed": "{} 2>&-",
    "all closed": "{} <&- >&- 2>&-",
    "full": "{} > /dev/full 2>&1",
    "ascii": "PYTHONIOENCODING=ascii:strict {}",
}


def _run(tmp_path: Path, way: str, number: int) -> subprocess.CompletedProcess:
    (tmp_path / "program.py").write_text(PROGRAM)
    command = f"{sys.executable} {tmp_path}/program.py {tmp_path} {int(number)}"
    line = f"PYTHONPATH={ROOT} {SHELL[way].format(command)}"
    if way == "ascii":
        line = f"PYTHONPATH={ROOT} PYTHONIOENCODING=ascii:strict {command}"
    return subprocess.run(
        ["bash", "-c", line],
        capture_output=True,
        text=True,
        timeout=60,
        # Where these tests run under `nohup`, it would be ignored, as it should be.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )


@pytest.mark.parametrize("way", SHELL)
def test_work_goes_on_to_its_end_without_its_streams(tmp_path, way):
    done = _run(tmp_path, way, 0)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    lines = (tmp_path / "log.txt").read_text().splitlines()
    assert sum("step " in line for line in lines) == 2000 and "step 1999: τ" in lines[-1]
    assert (tmp_path / "first file opened").read_text() == "of ours alone"
    told = [line for line in lines if "cannot be written any more" in line]
    assert bool(told) == (way in ("head", "head, errors kept", "full"))


@pytest.mark.parametrize(
    ("way", "number"),
    [("head", signal.SIGINT), ("closed", signal.SIGHUP), ("full", signal.SIGTERM)],
)
def test_a_signal_saves_and_ends_with_75_without_its_streams(tmp_path, way, number):
    """Each signal with each stream would show no more: which one it was, nothing here asks."""
    assert _run(tmp_path, way, number).returncode == 75
    lines = (tmp_path / "log.txt").read_text().splitlines()
    assert "step 1000" in lines[-2] and "saved" in lines[-1]


def test_streams_that_work_are_as_they_were(tmp_path):
    done = _run(tmp_path, "ascii", 0)
    assert "printed, \\udce9 1999" in done.stdout and "step 1999: \\u03c4" in done.stdout
    assert done.stdout.endswith("a library") and "to the other 1999" in done.stderr


def test_help_may_be_cut_off():
    for command in ("from tcam_jax.commands.tcam import main; main()",):
        line = f"{sys.executable} -c '{command}' | true; exit ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


def test_one_that_a_library_closed_as_python_ends_is_not_told(tmp_path, caplog):
    file = (tmp_path / "errors").open("w")
    stream = streams._Lasting(file, "standard error")
    file.close()
    stream.write("too late")
    stream.flush()
    assert caplog.text == "" and (tmp_path / "errors").read_text() == ""
