"""Stage 1 of a sweep: trained once, copied into every run that would train the same."""

import shutil
from pathlib import Path

from ml_collections import ConfigDict

from tcam_jax.config.continuation import CHANGEABLE
from tcam_jax.config.record import load_config
from tcam_jax.config.rules import flatten
from tcam_jax.runs.identity import FILE_NAME as DATASET_FILE
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.log import log
from tcam_jax.train.logs import read_metrics
from tcam_jax.train.stage import is_finished
from tcam_jax.train.stages import CLASSIFIER_DIR

_COPYING = "copying_"
# What decides which steps of the classifier are kept, beside what it is trained by.
_SELECTION = {"eval.every", "eval.frames", "eval.select_by"}


def share_classifier(folder: Path, config: ConfigDict) -> None:
    """Give a new run the same classifier of a run beside it, if there is one, whole or not at all.

    Args:
      folder: of the run; nothing is done where it is there.
      config: of the run.
    """
    if folder.exists():
        return
    for stage in sorted(folder.parent.glob(f"*/{CLASSIFIER_DIR}")):
        run = stage.parent
        if run.name.startswith(_COPYING) or not is_finished(stage):
            continue
        try:
            other = load_config(run)
        except InputError as error:  # stopped before it had any, or damaged: told when it goes on
            log.warning("the classifier of %s is not shared: %s", run, error)
            continue
        if _same_classifier(other, config) and _judged_alike(stage, config):
            copy = folder.with_name(_COPYING + folder.name)
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(stage, copy / CLASSIFIER_DIR)
            same_records = other.dataset.config == config.dataset.config
            if same_records and (run / DATASET_FILE).exists():  # prepared anew, it is refused
                shutil.copy(run / DATASET_FILE, copy)
            copy.rename(folder)
            return


def _same_classifier(other: ConfigDict, config: ConfigDict) -> bool:
    """Tell whether the first stage of `other` is what `config` would train and select."""
    ours, theirs = flatten(config), flatten(other)
    compared = {
        field
        for field in ours.keys() | theirs.keys()
        if field.split(".")[0] in ("seed", "precision", "dataset", "model", "classifier")
    }.difference(CHANGEABLE)
    compared -= {"model.decoder_width"}  # of stage 2
    compared |= _SELECTION
    if config.dataset.name == "moving_shapes":
        compared -= {"dataset.config"}  # they have the same frames
    return all(ours.get(field) == theirs.get(field) for field in compared)


def _judged_alike(stage: Path, config: ConfigDict) -> bool:
    """Tell whether the step that localises best was chosen by the CAM method that `config` would.

    The stage's own log says by which: its run's config may be of one that it was copied for.
    """
    if "best_localization" not in (config.tcam.encoder_checkpoint, config.tcam.seed_checkpoint):
        return True
    judges = {
        name.rpartition("corloc_")[2]
        for line in read_metrics(stage / "metrics.jsonl")
        for name, value in line.items()
        if "corloc_" in name and value is not None
    }
    return judges <= {config.tcam.cam_method}
