"""A network from wherever it is kept, ready to predict."""

import hashlib
import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from tcam_jax.config.rules import check_complete, validate
from tcam_jax.data.background import background_of
from tcam_jax.evaluate.maps import (
    OF_DECODER,
    OF_LOGITS,
    OF_NEIGHBOURS,
    PREDICTED,
    make_forward,
)
from tcam_jax.models.tcam import CLASSIFIER_PARTS, LOCALISER_PARTS, for_inference, variable_shapes
from tcam_jax.predict import exported
from tcam_jax.predict.predictor import Predictor
from tcam_jax.runs.networks import TrainedTCAM, fitting, load_tcam, localising_method
from tcam_jax.runtime.devices import keep_programs
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.given import path_given
from tcam_jax.runtime.json_files import read_small
from tcam_jax.train.initial import load_weights
from tcam_jax.train.stages import make_model

_OF_NETWORK = {"forward", "class_names", "size", "sees_motion"}  # not for the caller to choose
_OF_RUN, _OF_EXPORTED = "config.json", "model.json"


def load(
    source: str | Path,
    config: ConfigDict | None = None,
    class_names: Sequence[str] | None = None,
    **options: Any,
) -> Predictor:
    """Return a network, ready to predict.

        model = tcam_jax.load("runs/demo", regions="all")
        model = tcam_jax.load("exported")
        model = tcam_jax.load("weights.safetensors", get_config(), class_names=["cat", "dog"])

    The network is compiled at its first prediction and kept, see `runtime.devices.keep_programs`.

    Args:
      source: folder of a finished run; folder of `tcam export_model`; or, with `config` and
        `class_names`, weights: what `train.initial.load_weights` reads.
      config: of the network whose weights these are; its `eval.map` is the map of the boxes.
      class_names: `[k]`, in the order of the logits.
      options: of `Predictor`: `tau` (0..1; by default the threshold that evaluation chose; of
        weights each map's own), `rule` (in its place), `batch_size` (frames), `regions`,
        `min_area`, `min_probability`, `min_score`, `class_name`.

    Returns:
      A `Predictor` on the first device.

    Raises:
      InputError: `source` is none of these, or not trained to its end; the weights do not fit; an
        option is unknown or out of range.
    """
    folder = path_given(source, "source")
    keep_programs()
    if (config is None) != (class_names is None):
        raise InputError("weights need both config= and class_names=; one of them is missing.")
    if config is not None and class_names is not None:
        trained = _of_weights(str(source), config, tuple(class_names))
        return _predictor(trained, options, source)
    if (folder / _OF_EXPORTED).is_file():
        return _with_options(exported.load(folder)._asdict(), options)
    if (folder / _OF_RUN).is_file():
        with fitting(folder):
            return _predictor(load_tcam(folder), options, folder)
    raise _no_network(source)


def fingerprint(source: str | Path) -> str:
    """Return what tells a run or an exported model from others, without reading its weights.

    Raises:
      InputError: `source` is neither.
    """
    folder = path_given(source, "source")
    # An exported model's file has the digests of the others; a run is made of its config.
    names = (_OF_EXPORTED, _OF_RUN, "classes.json", "dataset.json", "results.json")
    found = [folder / name for name in names if (folder / name).is_file()]
    if not found:
        raise _no_network(source)
    digest = hashlib.sha256()
    for path in found:
        digest.update(read_small(path, "Put back a copy of it."))
    return digest.hexdigest()[:16]


def _no_network(source: str | Path) -> InputError:
    there, path = "there is no such file or folder", path_given(source, "source")
    if path.exists():
        there = "it is a folder without these" if path.is_dir() else "it is a file"
    return InputError(
        f"{str(source)!r} must be the folder of a run ({_OF_RUN}) or of an exported model "
        f"({_OF_EXPORTED}), or weights with config= and class_names=; {there}."
    )


def _predictor(trained: TrainedTCAM, options: dict[str, Any], source: str | Path) -> Predictor:
    forward = make_forward(trained.model, (trained.method,))
    variables = for_inference(trained.model, trained.variables)
    names, asked = trained.class_names, options.get("class_name")
    shown = names.index(asked) if asked in names else PREDICTED  # `Predictor` refuses others

    def outputs(frames: np.ndarray, *motion: np.ndarray) -> tuple[jax.Array, jax.Array]:
        classes = np.full(len(frames), shown, np.int32)
        with fitting(source):
            logits, maps, _ = forward(variables, frames, classes, *motion)
        return logits, maps[0]

    about = {
        "forward": outputs,
        "class_names": names,
        "size": trained.size,
        "tau": trained.tau,
        "of_logits": trained.method in OF_LOGITS,
        "background": trained.background,
        "sees_motion": trained.method in OF_NEIGHBOURS,
    }
    return _with_options(about, options)


def _with_options(about: dict[str, Any], options: dict[str, Any]) -> Predictor:
    if options.get("rule") is not None:  # in the place of the threshold that was chosen
        about = about | {"tau": None}
    known = inspect.signature(Predictor).parameters.keys() - _OF_NETWORK
    if unknown := options.keys() - known:
        raise InputError(
            f"options must be of {', '.join(sorted(known))}; got {', '.join(sorted(unknown))}."
        )
    return Predictor(**about | options)


def _of_weights(source: str, config: ConfigDict, class_names: tuple[str, ...]) -> TrainedTCAM:
    check_complete(config)
    validate(config)
    model, method = make_model(config, len(class_names)), localising_method(config)
    loaded = load_weights(source, variable_shapes(model, config.dataset.crop), model)
    needed = CLASSIFIER_PARTS + (LOCALISER_PARTS if method in OF_DECODER else ())
    missing = [part for part in needed if part not in loaded.parts]
    if missing:
        raise InputError(
            f"{source} must have the whole network of config; it lacks {', '.join(missing)}. "
            "With config.tcam.steps = 0 (and epochs likewise) a classifier's CAMs localise."
        )
    size, background = config.dataset.crop, background_of(config, class_names)
    return TrainedTCAM(model, loaded.variables, class_names, size, None, method, background)
