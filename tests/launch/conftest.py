"""Commands as a user runs them: in processes of their own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import QUICK_COMPILATION

ROOT = Path(__file__).parents[2]

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
OFTEN_SAVED = "--config.checkpoint.every_steps=2"


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """One device; programs compiled quickly, and shared by the session's processes."""
    return os.environ | {"XLA_FLAGS": QUICK_COMPILATION}


@pytest.fixture(scope="session")
def launch(environment) -> Callable[..., subprocess.CompletedProcess]:
    """Return a function that runs `python -m launch.NAME ARGS` to its end.

    Keyword arguments are variables of its environment.
    """

    def run(
        name: str, *args: str, status: int = 0, **variables: str
    ) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", f"launch.{name}", *args]
        done = subprocess.run(
            command, cwd=ROOT, env=environment | variables, capture_output=True, text=True
        )
        assert done.returncode == status, done.stdout[-3000:] + done.stderr[-3000:]
        return done

    return run
