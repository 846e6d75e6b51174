"""Measure how data are read: python -m launch.benchmark_data [--output=FILE.json].

    python -m launch.benchmark_data --parts=beside --step_ms=18.8

Reading speed beside bare operations and a PyTorch DataLoader; whether a device waits whose step
takes so long for 32 windows; and what an index of 600k frames costs. About five minutes on two
cores, and 1 GB of disk for a while.
"""

import json
import platform
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from absl import flags

from tcam_jax.benchmark import beside_step, data_pipeline, index_scale
from tcam_jax.benchmark.about import about
from tcam_jax.commands import command_line
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.files import write_whole

NUM_SHOTS = 64  # of ten frames, 1280 x 720
PARTS = ("speed", "beside", "index")
_OUTPUT = command_line.define_path("output", "where to write the figures, JSON")
_PARTS = flags.DEFINE_list("parts", list(PARTS), "what to measure")
_ROUNDS = flags.DEFINE_integer("rounds", 7, "measurements of each way of reading", lower_bound=1)
_FRAMES = flags.DEFINE_integer("frames", 600_000, "frames of the large index")
_STEP_MS = flags.DEFINE_float("step_ms", 18.8, "of the modelled device", lower_bound=0.1)


def main() -> None:
    """Measure, print and write."""
    command_line.check_output(_OUTPUT.value)
    if unknown := set(_PARTS.value) - set(PARTS):
        raise InputError(f"unknown {sorted(unknown)} in --parts; known: {', '.join(PARTS)}")
    figures: dict = {
        **about(),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "versions": {
            name: version(name)
            for name in ("tensorflow-cpu", "simplejpeg", "array_record", "pillow", "torch")
            if find_spec(name.removesuffix("-cpu").replace("pillow", "PIL"))
        },
    }
    if {"speed", "beside"} & set(_PARTS.value):
        with tempfile.TemporaryDirectory() as folder:
            _read(Path(folder), figures)
    if "index" in _PARTS.value:
        with tempfile.TemporaryDirectory() as folder:
            index_scale.write_dataset(Path(folder), _FRAMES.value)
            figures["index"] = index_scale.measure(Path(folder))
    print(json.dumps(figures, indent=1))
    if _OUTPUT.value:
        write_whole(Path(_OUTPUT.value), json.dumps(figures, indent=1) + "\n")


def _read(folder: Path, figures: dict) -> None:
    data_pipeline.write_frames(folder / "source", 1280, 720, NUM_SHOTS)
    for config, steps in (("speed", 24), ("speed_train256", 150)):
        beside = "beside" in _PARTS.value and config.endswith("_train256")
        if not ("speed" in _PARTS.value or beside):
            continue
        split = data_pipeline.prepare_frames(folder / "source", folder / config, config)
        if "speed" in _PARTS.value:
            files = folder / f"{config}_files"
            files.mkdir()
            row = data_pipeline.measure(split, files, steps, _ROUNDS.value)
            figures.setdefault("speed", []).append(row)
        if beside:
            figures["beside"] = beside_step.measure(
                split, data_pipeline.RESIZE, _STEP_MS.value / 1e3, steps, _ROUNDS.value
            )


if __name__ == "__main__":
    command_line.run(main)
