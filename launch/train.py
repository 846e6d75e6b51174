"""Train both stages and evaluate: python -m launch.train --config=configs/demo.py --workdir=DIR.

A run that was stopped goes on where it was; a finished one only evaluates.
"""

from pathlib import Path

from absl import flags
from ml_collections import config_flags

from launch import command
from tcam_jax.experiment import train_and_evaluate
from tcam_jax.report.table import results_table

_CONFIG = config_flags.DEFINE_config_file("config", None, "experiment, such as configs/demo.py")
_WORKDIR = flags.DEFINE_string("workdir", None, "folder of the run")


def main() -> None:
    """Train, evaluate, print the table."""
    workdir = Path(_WORKDIR.value)
    print(results_table(train_and_evaluate(_CONFIG.value, workdir)))
    print(f"results: {workdir / 'results.json'}")


if __name__ == "__main__":
    command.run(main, required=["config", "workdir"])
