"""One experiment from its config to its results: both stages, then the test split."""

from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from tcam_jax import config as configuration
from tcam_jax import runs
from tcam_jax.config_rules import validate
from tcam_jax.data.dataset import Dataset
from tcam_jax.evaluate.results import read_results
from tcam_jax.train import stages
from tcam_jax.train.initial import check_weights
from tcam_jax.train.logs import start_logging
from tcam_jax.train.parallel import Parallel


def train_and_evaluate(config: ConfigDict, workdir: Path) -> dict[str, Any]:
    """Run what is left of `config` in `workdir`; return the results on the test split.

    Raises:
      InputError: the config, the data, the weights or the workdir cannot be used.
    """
    validate(config)
    data = Dataset(config)
    if not (workdir / "config.json").exists():
        check_weights(config, stages.make_model(config, len(data.class_names)))
    # What is missing should be missed before anything is recorded or trained.
    data.truth("test")
    if config.tcam.seed_source == "files":
        data.check_seed_files(config.tcam.seed_dir)
    configuration.record(config, workdir)
    start_logging(workdir)
    runs.record_classes(workdir, data.class_names)
    parallel = Parallel(config.parallel)
    ran = stages.train(config, data, parallel, workdir)
    if not ran and (workdir / "results.json").exists():
        return read_results(workdir)
    return runs.evaluate_run(config, workdir, data, parallel, split="test")
