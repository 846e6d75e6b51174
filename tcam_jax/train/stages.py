"""Builds the two training stages from a config, a dataset and the devices."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from tcam_jax.data.truth import Truth
from tcam_jax.evaluate.corloc import TAUS_VALIDATION
from tcam_jax.evaluate.evaluator import accuracy, evaluate, localisation
from tcam_jax.evaluate.maps import TCAM_METHOD, make_forward
from tcam_jax.models.heads import HEADS
from tcam_jax.models.pretrained import Pretrained
from tcam_jax.models.tcam import (
    CLASSIFIER_PARTS,
    LOCALISER_PARTS,
    TCAM,
    Variables,
    merge,
    select,
)
from tcam_jax.train.checkpoint import Checkpoints
from tcam_jax.train.initial import initial_variables, report_weights
from tcam_jax.train.logs import log
from tcam_jax.train.loop import Stage, Validation, is_finished, is_started, run
from tcam_jax.train.optimizer import sgd, stepped_schedule
from tcam_jax.train.parallel import Parallel
from tcam_jax.train.seed_maps import FrozenClassifiers
from tcam_jax.train.state import create_state
from tcam_jax.train.step import classifier_step, tcam_step

CLASSIFIER_DIR, TCAM_DIR = "classifier", "tcam"


@runtime_checkable
class Data(Protocol):
    """What training needs of a dataset; `tcam_jax.data.dataset.Dataset` is one."""

    class_names: Sequence[str]

    def steps_per_epoch(self, batch_size: int) -> int:
        """Steps in which every training shot is visited once."""

    def training_batches(
        self,
        *,
        batch_size: int,
        n: int,
        mode: str,
        first_step: int,
        num_steps: int,
        boxes: bool = False,
        seed_dir: str | None = None,
    ) -> Iterator[Mapping[str, np.ndarray]]:
        """Batches of steps first_step … num_steps - 1, see `train.seed_maps.Batch`."""

    def truth(self, split: str) -> Truth:
        """The frames of a split that are evaluated, with their labels and boxes."""

    def frames(self, split: str, batch_size: int) -> Iterator[Mapping[str, np.ndarray]]:
        """The frames of `truth(split)` in batches of `evaluate.evaluator.evaluate`."""


def make_model(config: ConfigDict, num_classes: int, **training: object) -> TCAM:
    """Return the network of `config`; `training` sets the fields that differ while training."""
    return TCAM(
        num_classes=num_classes,
        depth=config.model.depth,
        strides=tuple(config.model.strides),
        head=partial(HEADS[config.model.head], **config.model.head_options),
        dtype=jnp.dtype(config.precision),
        **training,
    )


def classifier_stage(config: ConfigDict, data: Data, parallel: Parallel, workdir: Path) -> Stage:
    """Stage 1: the frame classifier, from the encoder's initial weights."""
    parts = _common(config, workdir / CLASSIFIER_DIR, data, parallel, train_classifier=True)
    if not is_started(workdir / CLASSIFIER_DIR):
        report_weights(parts.initial, CLASSIFIER_PARTS, config.model.pretrained)
    measure = _validation(config, data, parallel, config.tcam.cam_method)

    def validate(variables: Variables, step: int) -> Validation:
        metrics, correct, corloc = measure(variables)
        return metrics, {
            "best_classification": correct,
            # Without boxes there is nothing better to choose by.
            "best_localization": correct if corloc is None else corloc,
        }

    return Stage(
        directory=workdir / CLASSIFIER_DIR,
        step=partial(classifier_step, **parts.for_step),
        state=create_state(parts.select(CLASSIFIER_PARTS), parts.for_step["optimizer"]),
        frozen=None,
        batches=lambda first: data.training_batches(
            batch_size=config.classifier.batch_size,
            n=0,
            mode="before",
            first_step=first,
            num_steps=parts.num_steps,
        ),
        validate=validate,
        steps_per_epoch=parts.steps_per_epoch,
        num_steps=parts.num_steps,
    )


def tcam_stage(config: ConfigDict, data: Data, parallel: Parallel, workdir: Path) -> Stage:
    """Stage 2: the decoder, on the frozen classifiers that stage 1 left in `workdir`."""
    section = config.tcam
    parts = _common(config, workdir / TCAM_DIR, data, parallel, train_localiser=True)
    if parts.initial.parts:  # the decoder of a whole network's file, or random as ever
        report_weights(parts.initial, LOCALISER_PARTS, config.model.pretrained)

    stage1 = Checkpoints(workdir / CLASSIFIER_DIR / "checkpoints")
    like = parallel.place(parts.select(CLASSIFIER_PARTS))
    encoder = stage1.restore_variables(section.encoder_checkpoint, like)
    seeds = None
    if stage1.role_step(section.seed_checkpoint) != stage1.role_step(section.encoder_checkpoint):
        seeds = stage1.restore_variables(section.seed_checkpoint, like)
    stage1.close()

    measure = _validation(config, data, parallel, TCAM_METHOD)

    def validate(variables: Variables, step: int) -> Validation:
        metrics, _, corloc = measure(merge(encoder, variables))
        # The classifier is frozen, so without boxes nothing tells steps apart: the last is taken.
        return metrics, {"best_localization": float(step) if corloc is None else corloc}

    return Stage(
        directory=workdir / TCAM_DIR,
        step=partial(tcam_step, **parts.for_step, steps_per_epoch=parts.steps_per_epoch),
        state=create_state(parts.select(LOCALISER_PARTS), parts.for_step["optimizer"]),
        frozen=FrozenClassifiers(encoder, seeds),
        batches=lambda first: data.training_batches(
            batch_size=section.batch_size,
            n=section.window.n,
            mode=section.window.mode,
            first_step=first,
            num_steps=parts.num_steps,
            boxes=section.seed_source == "boxes",
            seed_dir=section.seed_dir if section.seed_source == "files" else None,
        ),
        validate=validate,
        steps_per_epoch=parts.steps_per_epoch,
        num_steps=parts.num_steps,
    )


class _Common(NamedTuple):
    steps_per_epoch: int
    num_steps: int
    initial: Pretrained  # of the whole network
    for_step: dict[str, Any]  # keyword arguments of both steps

    def select(self, names: tuple[str, ...]) -> Variables:
        return select(self.initial.variables, names)


def _common(
    config: ConfigDict, directory: Path, data: Data, parallel: Parallel, **training: bool
) -> _Common:
    section = config[directory.name]
    steps_per_epoch = data.steps_per_epoch(section.batch_size)
    model = make_model(config, len(data.class_names), axis_name=parallel.axis_name, **training)
    schedule = stepped_schedule(section.optimizer, steps_per_epoch)
    return _Common(
        steps_per_epoch=steps_per_epoch,
        num_steps=section.epochs * steps_per_epoch,
        initial=initial_variables(config, model, resumed=is_started(directory)),
        for_step={
            "config": config,
            "model": model,
            "optimizer": sgd(section.optimizer, schedule),
            "schedule": schedule,
            "axis_name": parallel.axis_name,
        },
    )


def _validation(
    config: ConfigDict, data: Data, parallel: Parallel, method: str
) -> Callable[[Variables], tuple[dict[str, float | None], float, float | None]]:
    """Return variables -> (metrics, accuracy, CorLoc or None) on the validation split.

    CorLoc is the frame mean at the threshold that is best on this split, as the reference selects.
    """
    truth = data.truth("validation")
    forward = make_forward(make_model(config, len(data.class_names)), (method,))

    def measure(variables: Variables) -> tuple[dict[str, float | None], float, float | None]:
        frames = data.frames("validation", parallel.divisible(config.eval.batch_size))
        evaluation = evaluate(forward, variables, frames, truth, (method,), parallel.shard_flat)
        correct = accuracy(evaluation, truth)
        scored = localisation(evaluation, truth, method, config.dataset.crop, TAUS_VALIDATION)
        corloc = None if scored is None else float(scored.frame_mean().max())
        metrics = {"validation_accuracy": correct, f"validation_corloc_{method}": corloc}
        return metrics, correct, corloc

    return measure


def train(config: ConfigDict, data: Data, parallel: Parallel, workdir: Path) -> bool:
    """Run both stages; one that is finished is not built or run again.

    Returns:
      Whether there was anything left to run.
    """
    truth = data.truth("validation")
    if not truth.has_boxes:
        log.warning(
            "the validation split has no boxes: CorLoc is unknown, the classifier is selected by "
            "accuracy, TCAM's last step is taken, and boxes are drawn at Otsu's threshold"
        )
    ran = False
    for name, build in ((CLASSIFIER_DIR, classifier_stage), (TCAM_DIR, tcam_stage)):
        if is_finished(workdir / name):
            log.info("%s: finished before", name)
        else:
            log.info("%s: validated on %d frames", name, len(truth.ids))
            run(build(config, data, parallel, workdir), parallel, config.checkpoint.every_steps)
            ran = True
    return ran
