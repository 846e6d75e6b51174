"""The variables that training starts from: random ones, or those of `config.model.pretrained`."""

import hashlib
from pathlib import Path
from typing import TypedDict

import jax
import numpy as np
from ml_collections import ConfigDict

from tcam_jax.data.duration import duration_of
from tcam_jax.models.tcam import LOCALISER_PARTS, TCAM, Variables, init_variables, variable_shapes
from tcam_jax.models.weights.pretrained import Pretrained, adopt, own_tensors
from tcam_jax.models.weights.published import PUBLISHED, published_tensors
from tcam_jax.models.weights.weight_files import read_tensors
from tcam_jax.runtime import processes
from tcam_jax.runtime.counted import few
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.given import path_given
from tcam_jax.runtime.json_files import read_json
from tcam_jax.runtime.log import log
from tcam_jax.train.checkpoint import read_variables
from tcam_jax.train.finished import Finished

# What of a stage are its weights.
BEST = {"classifier": "best_classification", "tcam": "best_localization"}
_SHOWN = 8  # names in the log


class _Tcam(TypedDict):
    encoder_checkpoint: str


class _Config(TypedDict):
    tcam: _Tcam


def initial_variables(config: ConfigDict, model: TCAM, resumed: bool = False) -> Pretrained:
    """Draw the whole network's variables, then take what the configured weights have.

    Args:
      config, model: of the run.
      resumed: a checkpoint will replace what is trained: the file of weights is not needed again.

    Raises:
      InputError: the weights cannot be read, or do not fit the network.
    """
    drawn = init_variables(model, jax.random.key(config.seed), config.dataset.crop)
    if config.precision == "float64":
        drawn = jax.tree.map(lambda x: x.astype(config.precision), drawn)
    if resumed or not config.model.pretrained:
        return Pretrained(drawn, parts=(), left_out=())
    return load_weights(config.model.pretrained, drawn, model)


def check_alike(variables: Variables) -> None:
    """Compare what all processes begin with, which call it together.

    Raises:
      InputError: in all of them: it differs.
    """
    if jax.process_count() == 1:
        return
    digest = hashlib.blake2b()
    for leaf in jax.tree.leaves(variables):
        digest.update(np.asarray(leaf).tobytes())
    if len(set(processes.gather(digest.hexdigest()))) > 1:
        raise InputError(
            "all processes must begin with the same weights; give all of them the same file as "
            "config.model.pretrained."
        )


def check_weights(config: ConfigDict, model: TCAM) -> None:
    """Read the configured weights, if any, before a run is recorded that could not use them.

    Raises:
      InputError: see `initial_variables`; or the decoder is to teach itself from the beginning, and
        they have none.
    """
    if not config.model.pretrained:
        return
    shapes = variable_shapes(model, config.dataset.crop)
    loaded = load_weights(config.model.pretrained, shapes, model)
    lacking = [part for part in LOCALISER_PARTS if part not in loaded.parts]
    if lacking and duration_of(config.tcam) and config.tcam.seeds.self_training_start == 0:
        raise InputError(
            "config.tcam.seeds.self_training_start must be above 0 with weights that have no "
            f"{' and no '.join(lacking)}, as {config.model.pretrained}: maps of a random decoder "
            "teach nothing."
        )


def load_weights(source: str, variables: Variables, model: TCAM) -> Pretrained:
    """Put weights into the `variables` of `model`.

    Args:
      source: a name of `models.weights.published`; a file; or a folder: of a checkpoint's step, of
        a finished stage (of stage 2 with the classifier that it stands on), of a run, or of an
        exported model.
      variables, model: see `adopt`.

    Raises:
      InputError: they cannot be read, or do not fit.
    """
    return adopt(variables, _tensors(source), source, model)


def _tensors(source: str) -> dict[str, np.ndarray]:
    if source in PUBLISHED:
        return published_tensors(source)
    path = path_given(source, "source")
    if not path.is_dir():
        return read_tensors(path)
    exported = path / "weights.safetensors"
    if exported.is_file():
        return read_tensors(exported)
    if (path / "variables").is_dir():  # of a step
        return own_tensors(read_variables(path))
    tensors: dict[str, np.ndarray] = {}
    for stage, role in _stages(path):
        step = Finished(stage).best_step(role)
        tensors |= own_tensors(read_variables(stage / "checkpoints" / str(step)))
    return tensors


def _stages(path: Path) -> list[tuple[Path, str]]:
    """Return the stages whose weights those of `path` are, and the best at what is meant."""
    run, name = path, ""
    if (path / "checkpoints").is_dir():
        run, name = path.absolute().parent, path.absolute().name
        if name not in BEST:
            raise InputError(f"the stage's folder {path} must be named {' or '.join(BEST)}.")
    stages = {stage: role for stage, role in BEST.items() if (run / stage / "checkpoints").is_dir()}
    if not stages:
        raise InputError(
            f"{path} must be the folder of a run, of a stage, of a checkpoint's step, or of a "
            "model exported as StableHLO; it is none of these."
        )
    if name == "classifier" or "tcam" not in stages:
        return [(run / "classifier", BEST["classifier"])]
    # The decoder goes with the classifier that it was trained on, whichever that is.
    if "classifier" in stages:
        stages["classifier"] = _encoder_checkpoint(run)
    return [(run / stage, role) for stage, role in stages.items()]


def _encoder_checkpoint(run: Path) -> str:
    path = run / "config.json"
    if not path.exists():  # stages without their run
        return BEST["classifier"]
    recorded: _Config = read_json(path, _Config, "Put back a copy of it, or take another run.")
    return recorded["tcam"]["encoder_checkpoint"]


def report_weights(initial: Pretrained, parts: tuple[str, ...], source: str) -> None:
    """Log where the variables of `parts` come from."""
    if not source:
        log.warning(
            "config.model.pretrained is empty: %s from random weights. The published recipe starts "
            "from an encoder trained on ImageNet, see docs/weights.md",
            " and ".join(parts),
        )
        return
    random = [part for part in parts if part not in initial.parts]
    if len(random) < len(parts):
        log.info("weights of %s: %s", source, ", ".join(p for p in parts if p in initial.parts))
    if random:
        log.info("not taken from %s, from random weights: %s", source, ", ".join(random))
    if initial.naming:
        log.info("its names are those of %s", initial.naming)
    for note in initial.notes:
        log.info("%s", note)
    if initial.left_out:
        names = few(initial.left_out, _SHOWN)
        log.info("%d tensors in it are left out: %s", len(initial.left_out), names)
