"""One experiment from its config to its results: both stages, then the test split."""

from contextlib import ExitStack
from pathlib import Path

from ml_collections import ConfigDict

from tcam_jax.config.record import make_writable, record_config
from tcam_jax.config.rules import validate
from tcam_jax.data.dataset import Dataset
from tcam_jax.evaluate.results import Results, read_results
from tcam_jax.runs.evaluate import evaluate_run
from tcam_jax.runs.networks import record_classes
from tcam_jax.runtime import processes
from tcam_jax.runtime.devices import log_devices
from tcam_jax.runtime.interruption import Interruption
from tcam_jax.runtime.lock import locked
from tcam_jax.runtime.log import start_logging
from tcam_jax.runtime.parallel import Parallel
from tcam_jax.train import stages
from tcam_jax.train.initial import check_weights


def train_and_evaluate(
    config: ConfigDict, workdir: Path, stop: Interruption | None = None
) -> Results:
    """Run what is left of `config` in `workdir`; return the results on the test split.

    Several processes (`runtime.processes`) call it together; process 0 alone uses the workdir.

    Args:
      config: of the run.
      workdir: of the run.
      stop: asked at safe points whether to stop; by default nothing asks to.

    Raises:
      InputError: the config, the data, the weights or the workdir cannot be used.
      Interrupted: `stop` was requested; the same call goes on.
      Diverged: see `train.guard`.
    """
    stop = stop or Interruption()
    stop.agree_by(processes.all_reduce_any)
    validate(config)
    data = Dataset(config)
    # What is missing should be missed before anything is recorded or trained.
    data.truth("test")
    if config.tcam.seed_source == "files":
        data.check_seed_files(config.tcam.seed_dir)
    with ExitStack() as held:

        def begin() -> None:
            if not (workdir / "config.json").exists():
                check_weights(config, stages.make_model(config, len(data.class_names)))
            make_writable(workdir)
            held.enter_context(locked(workdir))
            record_config(config, workdir)
            record_classes(workdir, data.class_names)

        processes.broadcast(begin)
        start_logging(workdir, quiet=not processes.is_first())
        parallel = Parallel(config.parallel)
        log_devices(parallel)
        ran = stages.train(config, data, parallel, workdir, stop)
        if not ran and processes.broadcast((workdir / "results.json").exists):
            return processes.broadcast(lambda: read_results(workdir))
        return evaluate_run(config, workdir, data, parallel, split="test", stop=stop)
