"""Train both stages and evaluate: python -m launch.train --config=configs/demo.py --workdir=DIR.

A run that was stopped goes on where it was; a finished one only evaluates.
"""

from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import ConfigDict, config_flags

from launch import command
from tcam_jax import config as configuration
from tcam_jax import runs
from tcam_jax.data.dataset import Dataset
from tcam_jax.report.table import results_table
from tcam_jax.train import stages
from tcam_jax.train.logs import start_logging
from tcam_jax.train.parallel import Parallel

_CONFIG = config_flags.DEFINE_config_file("config", None, "experiment, such as configs/demo.py")
_WORKDIR = flags.DEFINE_string("workdir", None, "folder of the run")


def train_and_evaluate(config: ConfigDict, workdir: Path) -> dict[str, Any]:
    """Run what is left of `config` in `workdir`; return the results on the test split."""
    configuration.validate(config)
    data = Dataset(config)
    configuration.record(config, workdir)
    start_logging(workdir)
    runs.write_classes(workdir, data.class_names)
    parallel = Parallel(config.parallel)
    stages.train(config, data, parallel, workdir)
    return runs.evaluate_run(config, workdir, data, parallel, split="test")


def main() -> None:
    """Train, evaluate, print the table."""
    workdir = Path(_WORKDIR.value)
    print(results_table(train_and_evaluate(_CONFIG.value, workdir)))
    print(f"results: {workdir / 'results.json'}")


if __name__ == "__main__":
    command.run(main, required=["config", "workdir"])
