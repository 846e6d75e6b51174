"""All that is measured on a GPU or TPU, in ten minutes: python -m launch.benchmark_accelerator.

Steps, CAM methods, inference and evaluation in both precisions and several batches, beside PyTorch
where it is installed; a profile of stage 2; two epochs of a run where TensorFlow is installed. The
most important first: when the time is up, what has not begun is left out, and said so.

    python -m launch.benchmark_accelerator --output=FOLDER
    python -m launch.benchmark_accelerator --output=FOLDER --encoder=resnet10 --size=32 --batches=2

The second tries it on a CPU. Into FOLDER go the figures of each part, and session.json: device,
date, commit, and what became of each part.
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from absl import flags

from tcam_jax.benchmark.about import about
from tcam_jax.benchmark.session import Part, run_command, run_parts
from tcam_jax.commands import command_line
from tcam_jax.runtime.errors import InputError

_OUTPUT = command_line.define_path("output", "folder for the figures")
_LIMIT_S = flags.DEFINE_integer("limit_s", 570, "seconds for all of it", lower_bound=1)
_ENCODER = flags.DEFINE_string("encoder", "resnet50", "the network's encoder")
_SIZE = flags.DEFINE_integer("size", 224, "of the network's frames, pixels", lower_bound=32)
_BATCHES = flags.DEFINE_list("batches", ["32", "128", "512", "64", "256"], "the first one in full")


def main() -> None:
    """Run the parts."""
    if not _OUTPUT.value or not all(text.isdecimal() and int(text) for text in _BATCHES.value):
        raise InputError("--output=FOLDER is needed, and --batches as whole numbers from 1")
    folder = Path(_OUTPUT.value).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    # Two processes of a part share the accelerator; by default the first would take its memory.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    device, parts = _device(), _parts(folder)
    print(f"{device}: {len(parts)} parts, at most {_LIMIT_S.value} s", flush=True)
    rows = run_parts(
        parts, folder, float(_LIMIT_S.value), {"device": device, **about()}, _say_and_run
    )
    for row in rows:
        print(f"{row['name']}: {row['outcome']}, {row['seconds']} s")


def _device() -> str:
    # In a process of its own: a TPU belongs to one at a time.
    ask = "import jax; d = jax.devices(); print(len(d), 'x', d[0].device_kind)"
    told = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True)
    if told.returncode:
        raise InputError(f"JAX finds no device: {told.stderr.strip().splitlines()[-1]}")
    return told.stdout.strip()


def _say_and_run(command: list[str], log: Path, seconds: float) -> str:
    print(f"{log.stem} ...", flush=True)
    return run_command(command, log, seconds)


def _parts(folder: Path) -> list[Part]:
    network = [f"--encoder={_ENCODER.value}", f"--size={_SIZE.value}"]
    torch = [] if find_spec("torch") else ["--notorch"]

    def launch(module: str, name: str, *arguments: str) -> Part:
        return Part(name, [sys.executable, "-m", f"launch.{module}", *arguments])

    def measure(batch: str, precision: str, parts: str, *more: str) -> Part:
        name = f"{precision}_{batch}_{parts.replace(',', '_')}"
        options = [f"--batch={batch}", f"--precision={precision}", f"--parts={parts}", *more]
        return launch("benchmark", name, *network, *options, f"--output={folder / name}.json")

    first, *others = _BATCHES.value
    alone = ("--notorch", "--rounds=3")
    profile = launch(
        "benchmark_profile",
        "profile",
        *(*network, f"--batch={first}", "--precision=bfloat16"),
        f"--output={folder / 'profile.json'}",
    )
    run = launch(
        "benchmark_run",
        "run",
        *("--epochs=2", "--network=full", "--config=configs/youtube_objects.py:v1.0_train256"),
        *("--config.precision=bfloat16", f"--output={folder / 'run'}"),
    )
    wide = [measure(batch, "bfloat16", "steps", *alone) for batch in others]
    return [
        measure(first, "bfloat16", "steps,crf,inference", *torch),
        profile,
        *([run] if find_spec("tensorflow") else []),
        measure(first, "bfloat16", "cams,evaluation", *alone),
        *wide[:2],
        measure(first, "float32", "steps,crf,inference", *torch),
        *wide[2:],
        measure(first, "float32", "cams,evaluation,losses", *alone),
    ]


if __name__ == "__main__":
    command_line.run(main)
