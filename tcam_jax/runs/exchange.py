"""Weights from elsewhere as a finished run; a run's weights, or whole network, for elsewhere."""

import shutil
from pathlib import Path

from ml_collections import ConfigDict

from tcam_jax.config.record import record_config
from tcam_jax.models.tcam import CLASSIFIER_PARTS, LOCALISER_PARTS, select, variable_shapes
from tcam_jax.models.weights.pretrained import own_tensors, torch_tensors
from tcam_jax.models.weights.weight_files import write_tensors
from tcam_jax.predict import exported
from tcam_jax.runs.networks import fitting, load_tcam, record_classes
from tcam_jax.runtime.errors import InputError
from tcam_jax.train.checkpoint import Checkpoints
from tcam_jax.train.checkpoint_record import Record
from tcam_jax.train.initial import load_weights, report_weights
from tcam_jax.train.optimizer import make_optimizer
from tcam_jax.train.stage import IMPORTED, finish
from tcam_jax.train.stages import CLASSIFIER_DIR, TCAM_DIR, make_model
from tcam_jax.train.state import create_state


def import_weights(
    config: ConfigDict, class_names: tuple[str, ...], workdir: Path, source: Path
) -> tuple[str, ...]:
    """Make `workdir` a run whose stages are those that the weights of `source` have.

    A classifier alone makes a finished stage 1, on which `tcam train` builds stage 2; a whole
    network makes a finished run. One classifier then plays both roles, encoder and seeds.

    Args:
      config: of the run, validated; its network must be that of the weights.
      class_names: `[k]`, in the order of the logits.
      workdir: of a new run.
      source: see `train.initial.load_weights`.

    Returns:
      The finished stages.

    Raises:
      InputError: the weights cannot be read, do not fit, or have no classifier or half a
        localiser; `workdir` is in use or cannot be written.
    """
    if workdir.exists() and (not workdir.is_dir() or any(workdir.iterdir())):
        raise InputError(f"the workdir {workdir} must be a new folder; there is something already.")
    model = make_model(config, len(class_names))
    # Given shapes alone, parts that the file does not have are not made.
    loaded = load_weights(str(source), variable_shapes(model, config.dataset.crop), model)
    report_weights(loaded, loaded.parts, str(source))
    if "classification_head" not in loaded.parts:
        raise InputError(
            f"{source} must hold a classification head for {len(class_names)} classes; it has "
            f"{', '.join((*loaded.parts, *loaded.notes))}. To train from it, use "
            "--config.model.pretrained."
        )
    stages: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
        CLASSIFIER_DIR: (CLASSIFIER_PARTS, ("best_classification", "best_localization"))
    }
    localiser = [part for part in LOCALISER_PARTS if part in loaded.parts]
    if len(localiser) == 1:
        raise InputError(f"{source} has a {localiser[0]}, but not all of {LOCALISER_PARTS}.")
    if localiser:
        stages[TCAM_DIR] = (LOCALISER_PARTS, ("best_localization",))
    # Whole or not at all: half a run would be trained from wherever it is.
    unfinished = workdir.with_name(f"{workdir.name}.importing")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        record_config(config, unfinished)
        record_classes(unfinished, class_names)
        for name, (parts, roles) in stages.items():
            state = create_state(
                select(loaded.variables, parts), make_optimizer(config[name].optimizer, model)
            )
            # Nothing was measured: below any score.
            best = {role: {"step": IMPORTED, "value": -1.0} for role in roles}
            Checkpoints(unfinished / name / "checkpoints").save(IMPORTED, state, Record(best))
            finish(unfinished / name, IMPORTED)
        unfinished.replace(workdir)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return tuple(stages)


def export_weights(workdir: Path, target: Path) -> None:
    """Write a finished run's network: `.safetensors` by PyTorch's names, or our `.msgpack`.

    The encoder and the head are those of `config.tcam.encoder_checkpoint`.

    Raises:
      InputError: there is no finished run, or `target` cannot be written.
    """
    model, variables, *_ = load_tcam(workdir)
    by_torch = target.suffix == ".safetensors"
    write_tensors(target, torch_tensors(variables, model) if by_torch else own_tensors(variables))


def export_model(
    workdir: Path, folder: Path, format: str = exported.STABLEHLO, map_name: str | None = None
) -> None:
    """Write a finished run's network as a folder that predicts by itself.

    For the threshold see `runs.networks.TrainedTCAM`, for the files `predict.exported`.

    Args:
      workdir: of the run.
      folder: to be made.
      format: a key of `predict.exported.FORMATS`.
      map_name: see `runs.networks.load_tcam`.

    Raises:
      InputError: there is no finished run; see also `predict.exported.save`.
    """
    with fitting(workdir):
        exported.save(folder, *load_tcam(workdir, map_name), format=format)
