"""Measure how data are read: python -m launch.benchmark_data [--output=FILE.json].

Reading speed beside bare operations and a PyTorch DataLoader, and what an index of 600k frames
costs. About five minutes on two cores, and 1 GB of disk for a while.
"""

import json
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path

from absl import flags

from tcam_jax.benchmark import data_pipeline, index_scale
from tcam_jax.commands import command_line
from tcam_jax.runtime.files import write_whole

_OUTPUT = command_line.define_path("output", "where to write the figures, JSON")
_ROUNDS = flags.DEFINE_integer("rounds", 7, "measurements of each way of reading")
_FRAMES = flags.DEFINE_integer("frames", 600_000, "frames of the large index")


def main() -> None:
    """Measure, print and write."""
    command_line.check_output(_OUTPUT.value)
    figures: dict = {
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "versions": {
            name: version(name) for name in ("tensorflow-cpu", "array_record", "pillow", "torch")
        },
        "speed": [],
    }
    for width, height, num_shots, steps in ((1280, 720, 32, 24), (256, 256, 64, 150)):
        with tempfile.TemporaryDirectory() as folder:
            row = data_pipeline.measure(
                Path(folder), width, height, num_shots, steps, _ROUNDS.value
            )
        figures["speed"].append(row)
        print(json.dumps(row, indent=1))
    with tempfile.TemporaryDirectory() as folder:
        index_scale.write_dataset(Path(folder), _FRAMES.value)
        figures["index"] = index_scale.measure(Path(folder))
    print(json.dumps(figures["index"], indent=1))
    if _OUTPUT.value:
        write_whole(Path(_OUTPUT.value), json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    command_line.run(main)
