"""Write a run's network to a file: tcam export_weights --workdir=DIR --output=FILE.

FILE.safetensors has PyTorch's names and layouts (those of U-Nets, see docs/weights.md),
FILE.msgpack ours. Both can be given to `tcam import_weights` and to `--config.model.pretrained`.
"""

from pathlib import Path

from tcam_jax.commands import command_line
from tcam_jax.runs.exchange import export_weights
from tcam_jax.runtime.terminal import say

_WORKDIR = command_line.define_path("workdir", "folder of a trained run")
_OUTPUT = command_line.define_path("output", "FILE.safetensors or FILE.msgpack")


def main() -> None:
    """Export."""
    export_weights(Path(_WORKDIR.value), Path(_OUTPUT.value))
    say(_OUTPUT.value)


def run() -> None:
    """Run the command with the flags of the command line."""
    command_line.run(main, required=["workdir", "output"])
