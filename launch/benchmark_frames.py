"""Time per frame of every method of the paper's Table 1: python -m launch.benchmark_frames.

With --workdir=DIR, of that run's network; its time_per_frame.json is shown by launch.report.
Without, of a ResNet50 at 224 pixels with random weights, which cost the same; --output=FILE keeps
the figures.
"""

import json
from importlib.metadata import version
from pathlib import Path

import jax
import jax.numpy as jnp
from absl import flags

from tcam_jax.benchmark.frame_time import boxes_per_map, time_per_frame
from tcam_jax.commands import command_line
from tcam_jax.config.record import load_config
from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.tcam import TCAM, init_variables
from tcam_jax.runs.networks import load_tcam
from tcam_jax.runtime.cores import usable_cores
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.files import write_whole

_WORKDIR = command_line.define_path("workdir", "folder of a trained run")
_OUTPUT = command_line.define_path("output", "where to write the figures, JSON")
_BATCHES = flags.DEFINE_list("batches", ["1", "32"], "frames a call")
_ROUNDS = flags.DEFINE_integer("rounds", 7, "measurements of each method", lower_bound=1)
_MAPS = 30  # of each kind, whose boxes are timed


def main() -> None:
    """Measure, print, write."""
    if not all(words.isdecimal() and int(words) for words in _BATCHES.value):
        raise InputError(f"--batches must be numbers such as 1,32; got {_BATCHES.value}.")
    command_line.check_output(_OUTPUT.value)
    if _WORKDIR.value:
        trained = load_tcam(Path(_WORKDIR.value))
        encoder = load_config(Path(_WORKDIR.value)).model.encoder
        model, variables, size = trained.model, trained.variables, trained.size
    else:
        encoder, size = "resnet50", 224
        model = TCAM(10, ENCODERS[encoder])
        variables = init_variables(model, jax.random.key(0), size)
    batches = tuple(map(int, _BATCHES.value))
    cores = usable_cores()
    device = jax.devices()[0]
    figures = {
        "device": f"{cores} CPU cores" if device.platform == "cpu" else device.device_kind,
        "jax": version("jax"),
        "network": f"{encoder}, {size} px, {jnp.dtype(model.dtype).name}",
        "rows": time_per_frame(model, variables, size, batches, _ROUNDS.value),
        "boxes_of_all_thresholds": boxes_per_map(size, _MAPS),
    }
    text = json.dumps(figures, indent=1) + "\n"
    print(text, end="")
    if _WORKDIR.value:
        write_whole(Path(_WORKDIR.value) / "time_per_frame.json", text)
    if _OUTPUT.value:
        write_whole(Path(_OUTPUT.value), text)


if __name__ == "__main__":
    command_line.run(main)
