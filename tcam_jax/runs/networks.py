"""What a run's workdir holds: its classes and its trained networks."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import flax.errors
import jax
from ml_collections import ConfigDict

from tcam_jax.config.record import load_config
from tcam_jax.data.background import background_of
from tcam_jax.data.class_names import check_class_names
from tcam_jax.data.duration import duration_of
from tcam_jax.evaluate.maps import (
    METHOD_OF_MAP,
    OF_DECODER,
)
from tcam_jax.evaluate.results import read_results, tau_of
from tcam_jax.models.tcam import (
    CLASSIFIER_PARTS,
    LOCALISER_PARTS,
    TCAM,
    Variables,
    merge,
    select,
    variable_shapes,
)
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.files import write_whole
from tcam_jax.runtime.given import path_given
from tcam_jax.runtime.json_files import damaged, read_json
from tcam_jax.runtime.parallel import Parallel
from tcam_jax.train.finished import Finished
from tcam_jax.train.stages import CLASSIFIER_DIR, TCAM_DIR, make_model


class Network(NamedTuple):
    """Trained variables and where they come from, "STAGE/ROLE@STEP"."""

    variables: Variables
    checkpoint: str


class Networks(NamedTuple):
    """The networks of a finished run.

    Attributes:
      seeds: the classifier of the CAM baselines.
      tcam: the whole network; None where the classifier was trained alone.
    """

    seeds: Network
    tcam: Network | None


def localising_method(config: ConfigDict) -> str:
    """Return what a run's boxes come from: a map of TCAM, or a classifier's CAMs without it."""
    if duration_of(config.tcam) is None:
        return config.tcam.cam_method
    return METHOD_OF_MAP[config.eval.map]


@contextmanager
def fitting(workdir: str | Path) -> Iterator[None]:
    """Run networks of `workdir` in the block: shapes are compared when they are first used.

    Raises:
      InputError: the checkpoints are not those of the network that the config describes.
    """
    try:
        yield
    except flax.errors.FlaxError as error:
        raise InputError(
            f"the checkpoints of {workdir} do not fit its config.json and classes.json, one of "
            f"which was changed ({str(error).partition(' (http')[0]}). Put back a copy of it."
        ) from error


def load_networks(
    config: ConfigDict, workdir: Path, num_classes: int, parallel: Parallel
) -> Networks:
    """Restore the best networks of both stages from `workdir`.

    Raises:
      InputError: a stage is not trained to its end.
    """
    restore = partial(_restore, config, workdir, num_classes, parallel)
    seeds = restore(CLASSIFIER_DIR, config.tcam.seed_checkpoint, CLASSIFIER_PARTS)
    if localising_method(config) not in OF_DECODER:
        return Networks(seeds, None)
    return Networks(seeds, load_predicting(config, workdir, num_classes, parallel))


def load_predicting(
    config: ConfigDict, workdir: Path, num_classes: int, parallel: Parallel
) -> Network:
    """Restore the one of `load_networks` that predicts, by `localising_method`.

    Raises:
      InputError: a stage is not trained to its end.
    """
    restore = partial(_restore, config, workdir, num_classes, parallel)
    if localising_method(config) not in OF_DECODER:
        return restore(CLASSIFIER_DIR, config.tcam.seed_checkpoint, CLASSIFIER_PARTS)
    encoder = restore(CLASSIFIER_DIR, config.tcam.encoder_checkpoint, CLASSIFIER_PARTS)
    localiser = restore(TCAM_DIR, "best_localization", LOCALISER_PARTS)
    return Network(merge(encoder.variables, localiser.variables), localiser.checkpoint)


def _restore(
    config: ConfigDict,
    workdir: Path,
    num_classes: int,
    parallel: Parallel,
    stage: str,
    role: str,
    parts: tuple[str, ...],
) -> Network:
    def like() -> Variables:  # traces the network, for most of a second
        shapes = variable_shapes(make_model(config, num_classes), config.dataset.crop)
        return select(shapes, parts)

    finished = Finished(workdir / stage)
    step = finished.best_step(role)
    variables = finished.variables(step, like)
    return Network(parallel.replicate_locally(variables), f"{stage}/{role}@{step}")


def record_classes(workdir: Path, class_names: tuple[str, ...]) -> None:
    """Record the class names, in index order, where `load` finds them.

    Raises:
      InputError: the run was started with other classes.
    """
    path = workdir / "classes.json"
    if not path.exists():
        write_whole(path, json.dumps(class_names) + "\n")
    check_classes(workdir, class_names)


def check_classes(workdir: Path, class_names: tuple[str, ...]) -> None:
    """Refuse data of other classes than those of the run in `workdir`.

    Raises:
      InputError: they differ, or the run was never started.
    """
    if read_classes(workdir) != class_names:
        raise InputError(
            f"{workdir} was started with the classes {list(read_classes(workdir))}, the dataset "
            f"now has {list(class_names)}; use another workdir, or the dataset as it was."
        )


def read_classes(workdir: Path) -> tuple[str, ...]:
    """Read what `record_classes` wrote.

    Raises:
      InputError: nothing was, or it is damaged.
    """
    path = workdir / "classes.json"
    if not path.exists():
        raise InputError(f"{workdir} was never started; run `tcam train` there.")
    advice = "Put back a copy of it: it has the names of the classes, as the dataset lists them."
    names = read_json(path, tuple[str, ...], advice)
    if not names:
        raise damaged(path, "it must have a name for each class, and has none", advice)
    check_class_names(names, str(path))
    return names


class TrainedTCAM(NamedTuple):
    """All that prediction needs of a finished run.

    Attributes:
      model, variables: the network, whole, on the first device.
      class_names: `[k]`.
      size: of the frames, pixels.
      tau: the threshold that evaluation chose on validation; None (each map's own)
        where there were no boxes, or the run has not been evaluated.
      method: what maps come from, see `localising_method`.
      background: the class whose frames have no boxes, if there is one.
    """

    model: TCAM
    variables: Variables
    class_names: tuple[str, ...]
    size: int
    tau: float | None
    method: str
    background: str | None


def load_tcam(workdir: str | Path, map_name: str | None = None) -> TrainedTCAM:
    """Read a finished run's network and how to use it.

    Args:
      workdir: folder of the run.
      map_name: a key of `METHOD_OF_MAP` in the place of the run's `eval.map`; if evaluation has not
        looked at it, each map has its own threshold.

    Raises:
      InputError: `workdir` holds no run, or one that is not trained to its end; it has no decoder,
        whose maps these are.
    """
    workdir = path_given(workdir, "workdir")
    config = load_config(workdir)
    class_names = read_classes(workdir)
    parallel = Parallel(config.parallel, jax.devices()[:1])
    network = load_predicting(config, workdir, len(class_names), parallel)
    tau, method = None, localising_method(config)
    if map_name is not None:
        if method not in OF_DECODER:
            raise InputError(f"{workdir} has no decoder to make the map {map_name}, but {method}.")
        method = METHOD_OF_MAP[map_name]
    if (workdir / "results.json").exists():
        results = read_results(workdir)
        if map_name is None or method in results["tau"]:
            tau = tau_of(results, method, workdir)
    model = make_model(config, len(class_names))
    size, background = config.dataset.crop, background_of(config, class_names)
    return TrainedTCAM(model, network.variables, class_names, size, tau, method, background)
