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
from tcam_jax.config_rules import validate
from tcam_jax.data.dataset import Dataset
from tcam_jax.evaluate.results import read_results
from tcam_jax.report.table import results_table
from tcam_jax.train import stages
from tcam_jax.train.initial import check_weights
from tcam_jax.train.logs import start_logging
from tcam_jax.train.parallel import Parallel

_CONFIG = config_flags.DEFINE_config_file("config", None, "experiment, such as configs/demo.py")
_WORKDIR = flags.DEFINE_string("workdir", None, "folder of the run")


def train_and_evaluate(config: ConfigDict, workdir: Path) -> dict[str, Any]:
    """Run what is left of `config` in `workdir`; return the results on the test split."""
    validate(config)
    data = Dataset(config)
    if not (workdir / "config.json").exists():
        check_weights(config, stages.make_model(config, len(data.class_names)))
    configuration.record(config, workdir)
    start_logging(workdir)
    runs.record_classes(workdir, data.class_names)
    data.truth("test")  # what is missing should be missed before training, not after
    parallel = Parallel(config.parallel)
    ran = stages.train(config, data, parallel, workdir)
    if not ran and (workdir / "results.json").exists():
        return read_results(workdir)
    return runs.evaluate_run(config, workdir, data, parallel, split="test")


def main() -> None:
    """Train, evaluate, print the table."""
    workdir = Path(_WORKDIR.value)
    print(results_table(train_and_evaluate(_CONFIG.value, workdir)))
    print(f"results: {workdir / 'results.json'}")


if __name__ == "__main__":
    command.run(main, required=["config", "workdir"])
