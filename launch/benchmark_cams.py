"""Measure how fast CAMs are made, beside torch-cam: python -m launch.benchmark_cams [--output=].

Needs `pip install torch torchcam`. About ten minutes on two cores.
"""

import json
import os
from pathlib import Path

from absl import flags

from tcam_jax.benchmark import cam_speed
from tcam_jax.commands import command_line
from tcam_jax.runtime.cores import usable_cores
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.files import write_whole

_OUTPUT = command_line.define_path("output", "where to write the figures, JSON")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "measurements of each way", lower_bound=1)
_SIZES = flags.DEFINE_list(
    "sizes", ["resnet50x224x4", "resnet18x80x16"], "encoder x frame size in pixels x batch"
)


def main() -> None:
    """Measure, print and write."""
    cam_speed.require_torchcam()
    # Three processes share an accelerator; by default the first would take its memory.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    sizes = [_parse(words) for words in _SIZES.value]
    command_line.check_output(_OUTPUT.value)
    cores = usable_cores()
    figures = {"machine": {"cores": cores, **cam_speed.machine()}, "speed": []}
    for size in sizes:
        row = cam_speed.measure(*size, _ROUNDS.value)
        figures["speed"].append(row)
        print(json.dumps(row, indent=1), flush=True)
    if _OUTPUT.value:
        write_whole(Path(_OUTPUT.value), json.dumps(figures, indent=1) + "\n")


def _parse(words: str) -> tuple[str, int, int]:
    encoder, *numbers = words.rsplit("x", 2)
    if encoder in cam_speed.WITH_LAYERS and len(numbers) == 2 and all(map(str.isdecimal, numbers)):
        size, batch = map(int, numbers)
        if size > 0 and batch > 0:
            return encoder, size, batch
    raise InputError(
        f"--sizes must be made of ENCODERxSIZExBATCH such as resnet50x224x4, encoders "
        f"{', '.join(cam_speed.WITH_LAYERS)}; got {words!r}"
    )


if __name__ == "__main__":
    command_line.run(main)
