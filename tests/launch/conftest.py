"""Commands as a user runs them: in processes of their own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import QUICK_COMPILATION
from tests.launch import forked
from tests.launch.forked import ROOT

# configs/demo.py at its smallest: what counts here is the machinery, not the score.
TINY = (
    "--config=configs/demo.py",
    "--config.model.encoder=resnet10",
    "--config.dataset.resize=36",
    "--config.dataset.crop=32",
    "--config.classifier.epochs=2",
    "--config.classifier.batch_size=8",
    "--config.tcam.epochs=2",
    "--config.tcam.batch_size=8",
    "--config.eval.batch_size=8",
)
ONE_MAP = ("--config.eval.cam_methods=('layercam',)", "--config.eval.other_maps=()")
OFTEN_SAVED = "--config.checkpoint.every=2 steps"
# n beyond every shot's length: windows are clipped, nothing fails.
TRAINED = (*TINY, OFTEN_SAVED, "--config.tcam.window.n=3", "--config.model.decoder_width=0.25")


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """One device; programs compiled quickly, and shared by the session's processes."""
    return os.environ | {"XLA_FLAGS": QUICK_COMPILATION}


@pytest.fixture(scope="session")
def launch(environment) -> Iterator[Callable[..., subprocess.CompletedProcess]]:
    """Return a function that runs `python -m launch.NAME ARGS` to its end.

    Keyword arguments are variables of its environment. The first that succeeds of each name is
    started as a user does, so that what it imports is there; the others are forked.
    """
    started = set()

    def run(
        name: str, *args: str, status: int = 0, **variables: str
    ) -> subprocess.CompletedProcess:
        if variables or (status == 0 and name not in started):
            command = [sys.executable, "-m", f"launch.{name}", *args]
            done = subprocess.run(
                command, cwd=ROOT, env=environment | variables, capture_output=True, text=True
            )
            started.update([name] if status == 0 else [])
        else:
            done = forked.run(name, args, environment)
        assert done.returncode == status, done.stdout[-3000:] + done.stderr[-3000:]
        return done

    with forked.server(environment):
        yield run


@pytest.fixture(scope="session")
def trained(made_once, shapes_data, launch) -> Path:
    """The run of TRAINED, to its end. Tests that write into it take a copy."""
    data = f"--config.dataset.data_dir={shapes_data}"
    return made_once("trained", lambda run: launch("train", *TRAINED, data, f"--workdir={run}"))
