"""Make a run of weights from elsewhere, to evaluate, predict, or train stage 2 on them.

    tcam import_weights --config=FILE --weights=PATH --workdir=NEW_FOLDER

The weights: a PyTorch state dict or .safetensors with the names of U-Nets, or the folder of a run,
of a stage, or of an exported model, see docs/weights.md. The log says what of them was taken. The
dataset must be prepared: it names the classes, in the order of the logits.
"""

from pathlib import Path

from tcam_jax.commands import command_line, config_flag
from tcam_jax.config.rules import validate
from tcam_jax.data.dataset import Dataset
from tcam_jax.runs.exchange import import_weights
from tcam_jax.runtime.log import log_to_terminal
from tcam_jax.runtime.terminal import say
from tcam_jax.train.stages import TCAM_DIR

_CONFIG = config_flag.define_config()
_WEIGHTS = command_line.define_path("weights", "a file of weights, or a folder that holds some")
_WORKDIR = command_line.define_path("workdir", "folder of the new run")


def main() -> None:
    """Import, and say what can be done next."""
    config, workdir = _CONFIG.value, Path(_WORKDIR.value)
    validate(config)
    log_to_terminal()
    stages = import_weights(config, Dataset(config).class_names, workdir, Path(_WEIGHTS.value))
    say(f"{workdir}: finished stages {', '.join(stages)}")
    if TCAM_DIR in stages:
        say(f"next: tcam evaluate --workdir={workdir} --split=test")
    else:
        say(f"next, stage 2: tcam train --config=… --workdir={workdir}")


def run() -> None:
    """Run the command with the flags of the command line."""
    command_line.run(main, required=["config", "weights", "workdir"])
