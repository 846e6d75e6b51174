"""Eight virtual CPU devices, set before JAX is imported anywhere; a tiny prepared dataset.

Programs are compiled without LLVM's optimisations and by XLA's older way to write fusions here, and
in the commands of tests/launch, where most run once: that takes a quarter of the time. One that is
compiled again, by another test or process of the session, comes from the session's cache.
tests/launch/chaos has the defaults, as a user does.
"""

import atexit
import fcntl
import gc
import os
import shutil
import sys
import tempfile

os.environ["JAX_PLATFORMS"] = "cpu"
# Each in one piece: there is another process for the other core.
QUICK_COMPILATION = (
    "--xla_backend_optimization_level=0 --xla_cpu_parallel_codegen_split_count=1 "
    "--xla_cpu_use_fusion_emitters=false"
)
os.environ["XLA_FLAGS"] = (
    f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8 "
    f"{QUICK_COMPILATION}"
)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    _compiled = tempfile.mkdtemp(prefix="tcam_jax_tests")
    atexit.register(shutil.rmtree, _compiled, ignore_errors=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _compiled
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
gc.disable()  # until all modules are there

from collections.abc import Callable, Iterator  # noqa: E402
from pathlib import Path  # noqa: E402
from unittest import mock  # noqa: E402

import pytest  # noqa: E402

from tcam_jax.data.builders.moving_shapes.frames import SPLITS, SplitSize  # noqa: E402
from tcam_jax.data.builders.registry import prepare  # noqa: E402
from tcam_jax.models.encoders.registry import ENCODERS  # noqa: E402
from tests.docs.fenced import load  # noqa: E402
from tests.train import device_matrix  # noqa: E402

TINY = {
    "train": SplitSize(videos=2, shots=2, frames=3),
    "validation": SplitSize(videos=1, shots=2, frames=2),
    "test": SplitSize(videos=1, shots=1, frames=2),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """`tests/fuzz` has a budget; only a conftest that pytest knows at its start can add a flag."""
    text = "examples of each test in tests/fuzz, others at every run; default: few, and the same"
    parser.addoption("--fuzz_examples", type=int, help=text)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first, so that no process is left with one of them at the end."""
    items.sort(key=lambda item: not {"launch", "train"} & set(item.path.parts))
    gc.freeze()  # the modules: every collection would look through them
    gc.enable()
    gc.set_threshold(20_000, 50, 10)  # tracing makes objects by the million, cycles by the dozen


@pytest.fixture(scope="session")
def made_once(tmp_path_factory) -> Callable[[str, Callable[[Path], object]], Path]:
    """Return (name, make) -> a folder that `make` fills in one of the session's processes only.

    Tests do not write into it.
    """
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent

    def folder(name: str, make: Callable[[Path], object]) -> Path:
        made, done = root / name, root / f"{name}.done"
        with (root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(made, ignore_errors=True)  # of one that failed
                made.mkdir()
                make(made)
                done.touch()
        return made

    return folder


@pytest.fixture
def tiny_splits(monkeypatch) -> dict[str, SplitSize]:
    """Sets the generator to the sizes of `shapes_data` for one test."""
    for split, size in TINY.items():
        monkeypatch.setitem(SPLITS, split, size)
    return TINY


@pytest.fixture(scope="session")
def shapes_data(made_once) -> Path:
    """data_dir with a tiny `moving_shapes` prepared in both configurations."""

    def make(data_dir: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            for split, size in TINY.items():
                patch.setitem(SPLITS, split, size)
            for config in ("default", "train_boxes"):
                prepare("moving_shapes", config, data_dir)

    return made_once("shapes", make)


@pytest.fixture
def config():
    """A small config of both stages, with which a step compiles in seconds."""
    return device_matrix.small_config()


@pytest.fixture
def small_encoder(tmp_path, monkeypatch) -> Iterator[str]:
    """The name of the manual's own encoder, known for one test: what does not look at encoders.

    Of four convolutions with batch norm, it is traced and compiled in a part of a ResNet-10's time.
    """
    monkeypatch.delitem(sys.modules, "my_encoder", raising=False)
    with mock.patch.dict(ENCODERS):
        load("extending.md", "my_encoder.py", tmp_path)
        yield "small"


@pytest.fixture
def make_batch(config):
    """Return (step, t) -> batch of 16 windows of random frames, with very different devices."""
    return lambda step, t: device_matrix.make_batch(step, t, config.dataset.resize)
