"""An encoder that stage 1 does not train stays as it is to the last bit, batch norm and all."""

from functools import partial

import jax
import numpy as np
import pytest

from tcam_jax.models.tcam import CLASSIFIER_PARTS, init_variables, select
from tcam_jax.train.frozen_encoder import classifier_training, count_trained
from tcam_jax.train.optimizer import make_optimizer, make_schedule
from tcam_jax.train.stages import make_model
from tcam_jax.train.state import create_state
from tcam_jax.train.step import classifier_step

FROZEN = (("^encoder/", 0.0),)


def _after_two_steps(config, make_batch, **training):
    model = make_model(config, 10, **training)
    variables = select(init_variables(model, jax.random.key(0), 32), CLASSIFIER_PARTS)
    settings = config.classifier.optimizer
    optimizer = make_optimizer(settings, model)
    step = jax.jit(
        partial(
            classifier_step,
            config=config,
            model=model,
            optimizer=optimizer,
            schedule=make_schedule(settings, 10, 100),
            axis_name=None,
        )
    )
    state = create_state(variables, optimizer)
    for number in range(2):
        batch = jax.tree.map(lambda x: x[None], make_batch(number, 1))
        state, _ = step(state, None, batch)
    return variables, state.variables


def _changed(before, after, part):
    return [
        not np.array_equal(*leaves)
        for collection in before
        for leaves in zip(
            jax.tree.leaves(before[collection].get(part, {})),
            jax.tree.leaves(after[collection].get(part, {})),
            strict=True,
        )
    ]


def test_what_is_frozen_does_not_count_as_trained(config):
    params = {"encoder": {"a": np.zeros((2, 3)), "b": np.zeros(5)}, "head": {"a": np.zeros(7)}}
    settings = config.classifier.optimizer
    assert count_trained(settings, params) == 18
    settings.multipliers = (("^encoder/", 0.0), ("^head/", 0.1))
    assert count_trained(settings, params) == 7
    settings.multipliers = (("a$", 0.0),)
    assert count_trained(settings, params) == 5


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_nothing_of_it_changes_and_the_head_learns(config, make_batch, small_encoder, name):
    config.model.encoder, config.classifier.optimizer.name = small_encoder, name
    config.classifier.optimizer.weight_decay = 0.1
    config.classifier.optimizer.multipliers = FROZEN
    training = classifier_training(config, make_model(config, 10))
    before, after = _after_two_steps(config, make_batch, **training)
    assert not any(_changed(before, after, "encoder"))
    assert all(_changed(before, after, "classification_head"))
    assert "batch_stats" in before  # there was something that could have changed


@pytest.mark.slow
def test_without_it_the_statistics_would_follow_the_frames(config, make_batch, small_encoder):
    config.model.encoder = small_encoder
    config.classifier.optimizer.multipliers = FROZEN
    before, after = _after_two_steps(config, make_batch, train_classifier=True)
    assert any(_changed(before, after, "encoder"))


@pytest.mark.parametrize(
    ("multipliers", "frozen"),
    [
        ((), False),
        (FROZEN, True),
        ((("encoder", 0.1),), False),
        ((("conv1", 0.0),), False),  # of four
        ((("conv", 0.0), ("bn", 0.0)), True),
        ((("classification_head", 0.0),), False),
    ],
)
def test_only_the_whole_encoder_is_frozen(config, small_encoder, multipliers, frozen):
    config.model.encoder = small_encoder
    config.classifier.optimizer.multipliers = multipliers
    training = classifier_training(config, make_model(config, 10))
    assert training == ({"freeze_encoder": True} if frozen else {"train_classifier": True})
