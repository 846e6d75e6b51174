"""One experiment from its config to its results: both stages, then the test split."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from ml_collections import ConfigDict

from tcam_jax.config.places import located
from tcam_jax.config.record import check_goes_on, make_writable, record_config
from tcam_jax.config.rules import validate
from tcam_jax.data.background import localised
from tcam_jax.data.dataset import Dataset
from tcam_jax.data.duration import duration_of
from tcam_jax.data.protocol import Data, check_data, seed_arguments
from tcam_jax.data.sample import sampled
from tcam_jax.evaluate.results import Results, file_of_split, read_results
from tcam_jax.runs.evaluate import evaluate_networks
from tcam_jax.runs.identity import record_dataset
from tcam_jax.runs.networks import record_classes
from tcam_jax.runs.same_start import check_same_config, check_same_data
from tcam_jax.runs.seed_identity import record_seed_files
from tcam_jax.runtime import processes
from tcam_jax.runtime.devices import log_devices
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.given import path_given
from tcam_jax.runtime.interruption import Interruption
from tcam_jax.runtime.lock import locked
from tcam_jax.runtime.log import start_logging
from tcam_jax.runtime.parallel import Parallel
from tcam_jax.train import stages
from tcam_jax.train.both_stages import train
from tcam_jax.train.initial import check_weights
from tcam_jax.train.planning import log_plans, plans
from tcam_jax.train.selection import check_selection


def train_and_evaluate(
    config: ConfigDict,
    workdir: str | Path,
    stop: Interruption | None = None,
    data: Data | None = None,
    split: str = "test",
) -> Results:
    """Run what is left of `config` in `workdir`; return the results on the test split.

        config = configs.demo.get_config()  # or tcam_jax.config.defaults.get_config(), changed
        results = tcam_jax.train_and_evaluate(config, "runs/demo")

    A run that was stopped goes on where it was, with the dataset it was started with; a finished
    one is only read. Several processes (`runtime.processes`) call it together; process 0 alone uses
    the workdir. Validations run in a thread: JAX's context managers around this do not reach them.

    Args:
      config: of the run; every field is described in `config/defaults.py`.
      workdir: folder of the run, made if need be.
      stop: asked at safe points whether to stop; by default nothing asks to.
      data: an object of your own in place of the dataset that the config names, see `Data`; the
        name may then be any, and TensorFlow is not needed.
      split: "test", or "validation" while choices are still made: no frame and no box of the test
        split is then read, only the list of its frames, as which dataset it is.

    Returns:
      The content of `results.json`, see `evaluate.results`: boxes in pixels, CorLoc in percent.

    Raises:
      InputError: the config, the data, the weights or the workdir cannot be used, or several
        processes were not started alike.
      TypeError: `data` lacks members of `Data`.
      Interrupted: `stop` was requested; the same call goes on.
      Diverged: see `train.guard`.

    Source:
      Belharbi et al., "TCAM: Temporal Class Activation Maps for Object Localization in
      Weakly-Labeled Unconstrained Videos", WACV 2023.
    """
    workdir, stop = path_given(workdir, "workdir"), stop or Interruption()
    stop.agree_by(processes.all_reduce_any)
    config = located(config)
    check_same_config(config)
    data = _checked(config, data, split)
    check_same_data(config, data)
    class_names = tuple(data.class_names)
    with ExitStack() as held:

        def begin() -> None:
            if not (workdir / "config.json").exists():
                _check_network(config, class_names)
            make_writable(workdir)
            held.enter_context(locked(workdir))
            # The config last: where something else is refused, it must not name it as the run's.
            check_goes_on(config, workdir)
            record_dataset(config, workdir, data)
            if isinstance(data, Dataset):
                record_seed_files(config, workdir, data)
            record_config(config, workdir)
            record_classes(workdir, class_names)

        processes.broadcast(begin)
        start_logging(workdir, quiet=not processes.is_first())
        parallel = Parallel(config.parallel)
        log_devices(parallel)
        log_plans(config, data)
        ran = train(config, data, parallel, workdir, stop)
        results = workdir / file_of_split("results.json", split)
        if not ran and processes.broadcast(results.exists):
            return processes.broadcast(lambda: read_results(workdir, split))
        return evaluate_networks(config, workdir, data, parallel, split, stop)


def dry_run(config: ConfigDict, data: Data | None = None, workdir: Path | None = None) -> None:
    """Do of `train_and_evaluate` what can be done without training, and write nothing.

    Everything is checked, and the log says how long both stages would train on the data there is.

    Args:
      config, data, workdir: as of `train_and_evaluate`.

    Raises:
      InputError, TypeError: as of `train_and_evaluate`.
    """
    config = located(config)
    data = _checked(config, data, "test")
    if workdir is not None:
        check_goes_on(config, workdir)
    _check_network(config, tuple(data.class_names))
    log_plans(config, data)


def check_runs(runs: Mapping[str, ConfigDict], split: str) -> None:
    """Do for runs to come what `train_and_evaluate` does before it records one; write nothing.

    What several have in common, as seed maps and networks, is looked at once.

    Args:
      runs: configs by the names of their runs.
      split: as of `train_and_evaluate`.

    Raises:
      InputError, TypeError: as of `train_and_evaluate`, with the run's name.
    """
    maps: set[str] = set()
    networks: set[str] = set()
    for name, config in runs.items():
        config = located(config)
        parts = (config.model, config.dataset.crop, config.precision)
        network = repr((parts, config.classifier.optimizer, config.tcam.optimizer))
        try:
            data = _checked(config, None, split, maps)
            if network not in networks:
                _check_network(config, tuple(data.class_names))
        except InputError as error:
            raise InputError(f"the run {name} cannot be started: {error}") from error
        networks.add(network)


def _checked(
    config: ConfigDict, data: Data | None, split: str, maps: set[str] | None = None
) -> Data:
    """Return the data, checked with the config; `maps`: seed maps that were, told of these."""
    validate(config)
    maps = set() if maps is None else maps
    if data is None:
        data = dataset = Dataset(config)
        source = (config.tcam.seed_dir, config.dataset.name, config.dataset.config)
        these = repr((*source, config.dataset.background))
        if config.tcam.seed_source == "files" and these not in maps:
            localised(config, dataset).check_seed_files(config.tcam.seed_dir)
            maps.add(these)
    check_data(data)
    # What is missing should be missed before anything is recorded or trained.
    data.truth(split)
    check_selection(config, data)
    if duration_of(config.tcam) is not None:
        seed_arguments(localised(config, data), config)
    sampled(config, data)
    plans(config, data)
    return data


def _check_network(config: ConfigDict, class_names: tuple[str, ...]) -> None:
    model = stages.make_model(config, len(class_names))
    check_weights(config, model)
    stages.check_optimizers(config, model)
