"""Training and prediction timed beside PyTorch: python -m launch.benchmark [--output=FILE.json].

Every step and call of ours and of a plain PyTorch twin with the same numbers (tests/benchmark),
on generated frames, in turns, each library in its own process. Needs no TensorFlow, nor PyTorch
with --notorch. Beside --output=FILE.json the table goes to FILE.md. The twin, and what the columns
say, are described in docs/performance.md.

    python -m launch.benchmark --batch=4                              # ResNet50, 224 px
    python -m launch.benchmark --encoder=resnet18 --size=80 --batch=16  # as the demo
    python -m launch.benchmark --encoder=vit_small_patch16 --parts=steps,inference
    python -m launch.benchmark --batch=32 --precision=bfloat16 --seed_view=crop   # a GPU
"""

import json
import os
import platform
import shlex
import sys
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from absl import flags

from tcam_jax.benchmark import our_ways, sides
from tcam_jax.benchmark.case import PARTS, WITH_TWIN, Case
from tcam_jax.benchmark.comparison import compare, to_markdown
from tcam_jax.commands import command_line
from tcam_jax.config import defaults
from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.runtime.cores import usable_cores
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.files import write_whole

_ENCODER = flags.DEFINE_enum("encoder", "resnet50", list(ENCODERS), "the network's encoder")
_SIZE = flags.DEFINE_integer("size", 224, "of the network's frames, pixels", lower_bound=32)
_BATCH = flags.DEFINE_integer("batch", 4, "samples a step, frames a call", lower_bound=1)
_N = flags.DEFINE_integer("n", 1, "neighbouring frames of a window", lower_bound=0)
_PRECISION = flags.DEFINE_enum("precision", "float32", ["float32", "bfloat16"], "of activations")
_SEED_VIEW = flags.DEFINE_enum(
    "seed_view", "frame", ["frame", "crop"], "see tcam_jax/config/defaults.py"
)
_PARTS = flags.DEFINE_list("parts", list(PARTS), "what to measure")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "measurements of each way", lower_bound=1)
_TORCH = flags.DEFINE_boolean("torch", True, "measure the PyTorch twin too")
_TORCH_COMPILE = flags.DEFINE_boolean("torch_compile", False, "the twin uses torch.compile")
_OUTPUT = command_line.define_path("output", "where to write the figures, FILE.json")


def main() -> None:
    """Measure, print and write."""
    if _OUTPUT.value and not _OUTPUT.value.endswith(".json"):
        raise InputError(f"--output must end with .json; got {_OUTPUT.value}.")
    command_line.check_output(_OUTPUT.value)
    if _TORCH.value and find_spec("torch") is None:
        raise InputError("PyTorch is not installed: pip install torch, or give --notorch.")
    if _TORCH.value and _ENCODER.value not in WITH_TWIN:
        raise InputError(
            f"there is no PyTorch twin of {_ENCODER.value}: give --notorch, or one of "
            f"{', '.join(WITH_TWIN)}."
        )
    case = Case(_config(), _BATCH.value, tuple(_PARTS.value))
    case.check()
    # Two processes share an accelerator; by default the first would take its memory.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    prepare = {"ours": partial(our_ways.prepare, case)}
    if _TORCH.value:
        # Imported where it is used, see above.
        from tcam_jax.benchmark import torch_ways

        prepare["torch"] = partial(torch_ways.prepare, case, _TORCH_COMPILE.value)
    figures = {
        "command": shlex.join(["python", "-m", "launch.benchmark", *sys.argv[1:]]),
        "cores": usable_cores(),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("jax", "flax", "torch") if find_spec(name)},
        **compare(sides.measure(prepare, _ROUNDS.value)),
    }
    table = to_markdown(figures)
    print(table)
    if _OUTPUT.value:
        path = Path(_OUTPUT.value)
        write_whole(path, json.dumps(figures, indent=1) + "\n")
        write_whole(path.with_suffix(".md"), table + "\n")


def _config():
    config = defaults.get_config()
    config.model.encoder = _ENCODER.value
    config.dataset.crop = _SIZE.value
    # As much larger as the published 256 is than 224.
    config.dataset.resize = round(_SIZE.value * config.dataset.resize / 224)
    config.precision = _PRECISION.value
    config.tcam.window.n, config.tcam.seed_view = _N.value, _SEED_VIEW.value
    return config


if __name__ == "__main__":
    command_line.run(main)
