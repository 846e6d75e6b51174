"""A training step apart from a run: what `train.stages` puts together, without data and files."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from tcam_jax.models.tcam import CLASSIFIER_PARTS, LOCALISER_PARTS, TCAM, Variables, select
from tcam_jax.pseudo_labels.seed_maps import FrozenClassifiers
from tcam_jax.runtime.parallel import Step
from tcam_jax.train.optimizer import make_optimizer, make_schedule
from tcam_jax.train.stages import make_model
from tcam_jax.train.state import TrainState, create_state
from tcam_jax.train.step import classifier_step, tcam_step

STAGES = ("classifier", "tcam")
NUM_CLASSES = 10
# The learning rate's steps are compiled in; any number gives the same program.
_STEPS_PER_EPOCH = 100


class Training(NamedTuple):
    """One stage.

    Attributes:
      model: the network as the step trains it.
      step: (state, frozen, batch) -> (state, metrics), for `Parallel.compile`.
      state: all variables -> the state before the first step.
      frozen: all variables -> the step's frozen networks.
    """

    model: TCAM
    step: Step
    state: Callable[[Variables], TrainState]
    frozen: Callable[[Variables], FrozenClassifiers | None]


def training(
    config: ConfigDict, stage: str, axis_name: str | None, seeds_apart: bool = False
) -> Training:
    """Return one stage of a run.

    Args:
      config: the run's.
      stage: one of `STAGES`.
      axis_name: of the devices, see `Parallel.axis_name`.
      seeds_apart: stage 2's seeds come from a second classifier, not from the encoder's.
    """
    optimizer = make_optimizer(config[stage].optimizer, make_model(config, NUM_CLASSES))
    shared: dict[str, Any] = {
        "config": config,
        "optimizer": optimizer,
        "schedule": make_schedule(config[stage].optimizer, _STEPS_PER_EPOCH, 100),
        "axis_name": axis_name,
    }

    def state(variables: Variables) -> TrainState:
        return create_state(select(variables, parts), optimizer, config[stage].optimizer.ema)

    if stage == "classifier":
        parts = CLASSIFIER_PARTS
        model = make_model(config, NUM_CLASSES, axis_name=axis_name, train_classifier=True)
        step = partial(classifier_step, model=model, **shared)
        return Training(model, step, state, lambda variables: None)

    def frozen(variables: Variables) -> FrozenClassifiers:
        classifier = select(variables, CLASSIFIER_PARTS)
        return FrozenClassifiers(classifier, classifier if seeds_apart else None)

    parts = LOCALISER_PARTS
    model = make_model(config, NUM_CLASSES, axis_name=axis_name, train_localiser=True)
    step = partial(tcam_step, model=model, **shared, steps_per_epoch=_STEPS_PER_EPOCH)
    return Training(model, step, state, frozen)
