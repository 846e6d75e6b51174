"""Builds the two training stages from a config, a dataset and the devices."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from tcam_jax.data.duration import plan_of
from tcam_jax.data.protocol import Data, seed_arguments
from tcam_jax.data.truth import Truth
from tcam_jax.evaluate.maps import METHOD_OF_MAP
from tcam_jax.models.encoders.registry import ENCODERS, backbone
from tcam_jax.models.heads import HEADS
from tcam_jax.models.tcam import (
    CLASSIFIER_PARTS,
    LOCALISER_PARTS,
    TCAM,
    Variables,
    merge,
    select,
    variable_shapes,
)
from tcam_jax.models.weights.pretrained import Pretrained
from tcam_jax.pseudo_labels.seed_maps import FrozenClassifiers
from tcam_jax.runtime import processes
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.interruption import Interruption
from tcam_jax.runtime.parallel import Parallel
from tcam_jax.runtime.recurring import every
from tcam_jax.train.alignment import seed_displacement
from tcam_jax.train.checkpoint import Checkpoints
from tcam_jax.train.finished import Finished
from tcam_jax.train.frozen_encoder import classifier_training
from tcam_jax.train.initial import check_alike, initial_variables, report_weights
from tcam_jax.train.optimizer import check_optimizer, make_optimizer, make_schedule
from tcam_jax.train.selection import cam_truth
from tcam_jax.train.self_training import first_own_step, tell
from tcam_jax.train.stage import Conclude, Stage, Validation
from tcam_jax.train.state import create_state
from tcam_jax.train.step import classifier_step, tcam_step
from tcam_jax.train.validation import Measured, make_validation

CLASSIFIER_DIR, TCAM_DIR = "classifier", "tcam"


def make_model(config: ConfigDict, num_classes: int, **training: object) -> TCAM:
    """Return the network of `config`; `training` sets the fields that differ while training.

    Raises:
      InputError: encoder or head is a user's own, and this process does not know it.
    """
    for part, registry in (("encoder", ENCODERS), ("head", HEADS)):
        if config.model[part] not in registry:
            raise InputError(
                f"the {part} {config.model[part]!r} must be in tcam_jax.{part.upper()}S: import "
                "the file that puts it there first."
            )
    return TCAM(
        num_classes=num_classes,
        backbone=backbone(config),
        head=partial(HEADS[config.model.head], **config.model.head_options),
        dtype=jnp.dtype(config.precision),
        decoder_width=config.model.decoder_width,
        remat_decoder=config.tcam.remat_decoder,
        **training,
    )


def check_optimizers(config: ConfigDict, model: TCAM) -> None:
    """Check both stages' optimisers before a run is recorded that could not use them.

    Raises:
      InputError: see `check_optimizer`.
    """
    shapes = variable_shapes(model, config.dataset.crop)
    for section, parts in ((CLASSIFIER_DIR, CLASSIFIER_PARTS), (TCAM_DIR, LOCALISER_PARTS)):
        check_optimizer(config, section, model, select(shapes, parts)["params"])


def classifier_stage(
    config: ConfigDict, data: Data, truth: Truth, parallel: Parallel, workdir: Path
) -> Stage:
    """Stage 1: the frame classifier, from the encoder's initial weights.

    `truth`: the validation frames with the boxes that select, see `train.selection`.
    """
    section = config.classifier
    evaluated = make_model(config, len(data.class_names))
    training = classifier_training(config, evaluated)
    parts = _common(config, workdir / CLASSIFIER_DIR, data, parallel, **training)
    if not parts.resumed:
        report_weights(parts.initial, CLASSIFIER_PARTS, config.model.pretrained)
    measure = make_validation(config, data, parallel, evaluated, config.tcam.cam_method, truth)

    def judged(measured: Measured) -> Validation:
        correct, corloc = measured.accuracy, measured.corloc
        scores = {
            "best_classification": correct,
            # Without boxes there is nothing better to choose by.
            "best_localization": correct if corloc is None else corloc,
        }
        return Validation(measured.metrics, scores, measured.picture)

    def validate(variables: Variables, step: int, check: Callable[[], None]) -> Conclude:
        conclude = measure(variables, check)
        return lambda: judged(conclude())

    return Stage(
        directory=workdir / CLASSIFIER_DIR,
        step=partial(classifier_step, **parts.for_step),
        state=create_state(
            parts.select(CLASSIFIER_PARTS), parts.for_step["optimizer"], section.optimizer.ema
        ),
        frozen=None,
        batches=lambda first, end: data.training_batches(
            batch_size=section.batch_size,
            n=0,
            mode="before",
            first_step=first,
            num_steps=end,
            rows=parallel.slots(section.batch_size),
        ),
        frames_of=lambda number: data.frames_of_batch(number, section.batch_size),
        validate=validate,
        **parts.lengths,
    )


def tcam_stage(
    config: ConfigDict,
    data: Data,
    truth: Truth,
    parallel: Parallel,
    workdir: Path,
    stop: Interruption,
) -> Stage:
    """Stage 2: the decoder, on the frozen classifiers that stage 1 left in `workdir`.

    `truth`: as of `classifier_stage`.
    """
    section = config.tcam
    parts = _common(config, workdir / TCAM_DIR, data, parallel, train_localiser=True)
    if parts.initial.parts:  # the decoder of a whole network's file, or random as ever
        report_weights(parts.initial, LOCALISER_PARTS, config.model.pretrained)
    tell(config, parts.lengths["num_steps"])

    stage1, like = Finished(workdir / CLASSIFIER_DIR), partial(parts.select, CLASSIFIER_PARTS)
    encoder_step = stage1.best_step(section.encoder_checkpoint)
    seeds_step = stage1.best_step(section.seed_checkpoint)
    encoder, seeds = parallel.replicate(stage1.variables(encoder_step, like)), None
    if seeds_step != encoder_step:
        seeds = parallel.replicate(stage1.variables(seeds_step, like))

    encoder_here = parallel.local_view(encoder)
    gives_seeds = encoder_here if seeds is None else parallel.local_view(seeds)
    evaluated = make_model(config, len(data.class_names))
    if config.eval.select_by == "cam":
        truth = cam_truth(config, data, parallel, evaluated, gives_seeds, stop)
    displaced = None
    if section.align_seeds and section.seed_source == "cam":
        found = seed_displacement(config, data, parallel, evaluated, gives_seeds, stop)
        displaced = parallel.replicate(np.array(found, np.float32))
    measure = make_validation(
        config, data, parallel, evaluated, METHOD_OF_MAP[config.eval.map], truth
    )

    def judged(step: int, measured: Measured) -> Validation:
        # The classifier is frozen, so without boxes nothing tells steps apart: the last is taken.
        score = float(step) if measured.corloc is None else measured.corloc
        return Validation(measured.metrics, {"best_localization": score}, measured.picture)

    def validate(variables: Variables, step: int, check: Callable[[], None]) -> Conclude:
        conclude = measure(merge(encoder_here, variables), check)
        return lambda: judged(step, conclude())

    return Stage(
        directory=workdir / TCAM_DIR,
        step=partial(
            tcam_step,
            **parts.for_step,
            steps_per_epoch=parts.lengths["steps_per_epoch"],
            num_steps=parts.lengths["num_steps"],
        ),
        state=create_state(
            parts.select(LOCALISER_PARTS), parts.for_step["optimizer"], section.optimizer.ema
        ),
        frozen=FrozenClassifiers(encoder, seeds, displaced),
        batches=lambda first, end: data.training_batches(
            batch_size=section.batch_size,
            n=section.window.n,
            mode=section.window.mode,
            first_step=first,
            num_steps=end,
            rows=parallel.slots(section.batch_size),
            **seed_arguments(data, config),
        ),
        frames_of=lambda number: data.frames_of_batch(number, section.batch_size),
        validate=validate,
        seeds_given=first_own_step(config, parts.lengths["num_steps"]),
        **parts.lengths,
    )


class _Common(NamedTuple):
    lengths: dict[str, Any]  # keyword arguments of `Stage`
    resumed: bool  # from a checkpoint
    initial: Pretrained  # of the whole network
    for_step: dict[str, Any]  # keyword arguments of both steps

    def select(self, names: tuple[str, ...]) -> Variables:
        return select(self.initial.variables, names)


def _common(
    config: ConfigDict, directory: Path, data: Data, parallel: Parallel, **training: bool
) -> _Common:
    section = config[directory.name]
    plan = plan_of(section, data)
    model = make_model(config, len(data.class_names), axis_name=parallel.axis_name, **training)
    schedule = make_schedule(section.optimizer, plan.steps_per_epoch, plan.num_steps)
    newest = Checkpoints(directory / "checkpoints").newest
    resumed = processes.broadcast(newest) is not None
    initial = initial_variables(config, model, resumed=resumed)
    if not resumed:
        check_alike(initial.variables)
    return _Common(
        lengths={
            "batch_size": plan.batch_size,
            "steps_per_epoch": plan.steps_per_epoch,
            "num_steps": plan.num_steps,
            "validate_every": every(config.eval.every),
        },
        resumed=resumed,
        initial=initial,
        for_step={
            "config": config,
            "model": model,
            "optimizer": make_optimizer(section.optimizer, model),
            "schedule": schedule,
            "axis_name": parallel.axis_name,
        },
    )
