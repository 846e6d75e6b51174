"""Write a run's network, ready to run: tcam export_model --workdir=DIR --output=FOLDER.

FOLDER, which must be new, holds the program with its weights, as StableHLO for JAX, as ONNX
(--format=onnx) or as TensorFlow's SavedModel (--format=saved_model), and model.json, which says how
to use them: neither the run nor this package is needed any more, see docs/predict.md.
"""

from pathlib import Path

from absl import flags

from tcam_jax.commands import command_line
from tcam_jax.evaluate.maps import METHOD_OF_MAP
from tcam_jax.predict import exported
from tcam_jax.runs.exchange import export_model
from tcam_jax.runtime.terminal import say

_WORKDIR = command_line.define_path("workdir", "folder of a trained run")
_OUTPUT = command_line.define_path("output", "new folder")
_FORMAT = flags.DEFINE_enum("format", exported.STABLEHLO, [*exported.FORMATS], "of the program")

_MAP = flags.DEFINE_enum(
    "map", None, [*METHOD_OF_MAP], "of TCAM, if not config.eval.map of the run"
)


def main() -> None:
    """Export."""
    command_line.check_output(_OUTPUT.value)
    export_model(Path(_WORKDIR.value), Path(_OUTPUT.value), _FORMAT.value, _MAP.value)
    say(_OUTPUT.value)


def run() -> None:
    """Run the command with the flags of the command line."""
    command_line.run(main, required=["workdir", "output"])
