"""Evaluate a trained run: tcam evaluate --workdir=DIR --split=test.

Of a dataset that was moved since, --data_dir says where it lies now.
"""

from pathlib import Path

from absl import flags

from tcam_jax.commands import command_line
from tcam_jax.config.record import load_config
from tcam_jax.evaluate.results import file_of_split
from tcam_jax.report.results_tables import results_table
from tcam_jax.runs.evaluate import evaluate_run
from tcam_jax.runtime import devices
from tcam_jax.runtime.terminal import say

_WORKDIR = command_line.define_path("workdir", "folder of a trained run")
_DATA_DIR = command_line.define_path("data_dir", "where the prepared dataset lies, if moved")
_SPLIT = flags.DEFINE_enum("split", "test", ["validation", "test"], "what to evaluate on")


def main() -> None:
    """Write the split's results and predictions, print the table."""
    workdir = Path(_WORKDIR.value)
    config = load_config(workdir)
    devices.prepare(config)
    results = evaluate_run(workdir, _SPLIT.value, data_dir=_DATA_DIR.value)
    say(*results_table(results, config).split("\n"))
    say(f"results: {workdir / file_of_split('results.json', _SPLIT.value)}")


def run() -> None:
    """Run the command with the flags of the command line."""
    command_line.run(main, required=["workdir"])
