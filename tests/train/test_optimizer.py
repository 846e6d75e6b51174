from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

from tcam_jax.config import defaults
from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.tcam import TCAM, variable_shapes
from tcam_jax.runtime.errors import InputError
from tcam_jax.train.checkpoint import Checkpoints, Record
from tcam_jax.train.optimizer import SCHEDULES, check_optimizer, make_optimizer, make_schedule
from tcam_jax.train.state import create_state
from tcam_jax.train.update import update


def test_schedule_against_the_published_numbers():
    config = defaults.get_config().classifier.optimizer  # 0.001, times 0.9 every 15 epochs
    schedule = make_schedule(config, steps_per_epoch=87, num_steps=8700)
    for epoch, expected in ((0, 1e-3), (14, 1e-3), (15, 9e-4), (90, 1e-3 * 0.9**6)):
        for step in (epoch * 87, epoch * 87 + 86):
            np.testing.assert_allclose(schedule(jnp.int32(step)), expected, rtol=1e-6)
    config.min_learning_rate = 5e-4
    assert schedule(jnp.int32(10**6)) == np.float32(5e-4)


def test_sgd_equals_torch_with_two_learning_rates():
    config = defaults.get_config().classifier.optimizer
    config.learning_rate, config.weight_decay, config.step_epochs = 0.1, 0.03, 1
    rng = np.random.default_rng(0)
    initial = {
        "encoder": {"layer3_0": rng.normal(size=5), "layer4_0": rng.normal(size=5)},
        "classification_head": {"fc": rng.normal(size=5)},
    }
    grads = [jax.tree.map(lambda x: rng.normal(size=x.shape), initial) for _ in range(6)]

    params = jax.tree.map(jnp.float32, initial)
    rest = {
        "optimizer": make_optimizer(config, TCAM(10, ENCODERS["resnet18"])),
        "schedule": make_schedule(config, steps_per_epoch=2, num_steps=6),
        "ema": 0.0,
        "axis_name": None,
    }
    state = create_state({"params": params, "batch_stats": {}}, rest["optimizer"])
    for grad in grads:
        state, _ = update(state, jax.tree.map(jnp.float32, grad), {}, jnp.zeros(()), **rest)
    params = state.params

    leaves, _ = jax.tree.flatten(initial)  # in the order head, layer3, layer4
    tensors = [torch.tensor(leaf, requires_grad=True) for leaf in leaves]
    ratios = (10, 1, 10)
    reference = torch.optim.SGD(
        [{"params": [x], "lr": 0.1 * r} for x, r in zip(tensors, ratios, strict=True)],
        momentum=0.9,
        nesterov=True,
        weight_decay=0.03,
    )
    decay = torch.optim.lr_scheduler.StepLR(reference, step_size=2, gamma=0.9)
    for grad in grads:
        for tensor, leaf in zip(tensors, jax.tree.leaves(grad), strict=True):
            tensor.grad = torch.tensor(leaf)
        reference.step()
        decay.step()
    for ours, theirs in zip(jax.tree.leaves(params), tensors, strict=True):
        np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=2e-5, atol=1e-6)


def _trained(config, model, params, grads, num_steps):
    rest = {
        "optimizer": make_optimizer(config, model),
        "schedule": make_schedule(config, steps_per_epoch=1, num_steps=num_steps),
        "ema": config.ema,
        "axis_name": None,
    }
    state = create_state({"params": params, "batch_stats": {}}, rest["optimizer"], config.ema)
    for grad in grads:
        state, _ = update(state, grad, {}, jnp.zeros(()), **rest)
    return state


@pytest.fixture
def problem():
    rng = np.random.default_rng(1)
    initial = {
        "encoder": {
            "conv1": {"kernel": rng.normal(size=(2, 3))},
            "layer3_0": {"bias": rng.normal(size=5)},
            "layer4_0": {"bias": rng.normal(size=5)},
        },
        "classification_head": {"fc": {"kernel": rng.normal(size=5)}},
    }
    params = jax.tree.map(jnp.float32, initial)
    grads = [
        jax.tree.map(lambda x: jnp.float32(rng.normal(size=x.shape)), initial) for _ in range(3)
    ]
    return params, grads


def test_adamw_with_warmup_and_factors_equals_optax_by_hand(problem):
    params, grads = problem
    config = defaults.get_config().classifier.optimizer
    config.name, config.args = "adamw", {"b2": 0.95}
    config.learning_rate, config.weight_decay = 0.01, 0.05
    config.schedule, config.warmup_epochs, config.min_learning_rate = "warmup_cosine", 2, 1e-4
    config.multipliers = (("conv1", 0.0), (r"layer3_\d/bias$", 0.1))
    config.clip_norm = 1.0
    state = _trained(config, TCAM(10, ENCODERS["resnet18"]), params, grads, num_steps=8)

    rate = optax.warmup_cosine_decay_schedule(0.0, 0.01, 2, 8, 1e-4)
    labels = {
        "encoder": {
            "conv1": {"kernel": "frozen"},
            "layer3_0": {"bias": 0.1},
            "layer4_0": {"bias": 10.0},
        },
        "classification_head": {"fc": {"kernel": 10.0}},
    }
    groups = {
        factor: optax.adamw(
            lambda step, factor=factor: factor * rate(step), b2=0.95, weight_decay=0.05
        )
        for factor in (0.1, 10.0)
    }
    by_hand = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.multi_transform({**groups, "frozen": optax.set_to_zero()}, labels),
    )
    expected, opt_state = params, by_hand.init(params)
    for grad in grads:
        updates, opt_state = by_hand.update(grad, opt_state, expected)
        expected = optax.apply_updates(expected, updates)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7), state.params, expected
    )
    np.testing.assert_array_equal(
        state.params["encoder"]["conv1"]["kernel"], params["encoder"]["conv1"]["kernel"]
    )


def test_the_average_is_what_is_evaluated_and_goes_through_a_checkpoint(problem, tmp_path):
    params, grads = problem
    config = defaults.get_config().classifier.optimizer
    config.learning_rate, config.ema = 0.1, 0.5
    model = TCAM(10, ENCODERS["resnet18"])
    average, states = params, []
    for n in range(1, 4):
        states.append(_trained(config, model, params, grads[:n], num_steps=8))
        kept = n / (n + 9)  # 0.1, 2 / 11, 0.25: the random beginning is forgotten first
        average = jax.tree.map(
            lambda x, y, kept=kept: kept * x + (1 - kept) * y, average, states[-1].params
        )
    jax.tree.map(np.testing.assert_allclose, states[-1].variables["params"], average)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(3, states[-1], Record({}))
    restored = checkpoints.restore(3, states[0])
    jax.tree.map(np.testing.assert_array_equal, restored, states[-1])
    evaluated = checkpoints.restore_variables(3)["params"]
    jax.tree.map(np.testing.assert_array_equal, evaluated, states[-1].average)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_begin_and_end_where_they_should(schedule):
    config = defaults.get_config().classifier.optimizer
    config.schedule, config.learning_rate, config.min_learning_rate = schedule, 0.1, 0.001
    config.gamma, config.step_epochs, config.warmup_epochs = 0.1, 1, 2
    rates = [make_schedule(config, 5, 50)(jnp.int32(step)) for step in (0, 10, 50)]
    expected = {
        "step": (0.1, 0.001, 0.001),
        "constant": (0.1, 0.1, 0.1),
        "cosine": (0.1, 0.001 + 0.099 * (1 + np.cos(np.pi / 5)) / 2, 0.001),
        "warmup_cosine": (0.0, 0.1, 0.001),
    }
    np.testing.assert_allclose(rates, expected[schedule], rtol=1e-5, atol=1e-9)


@cache
def _resnet10():
    """The model and the shapes of its parameters."""
    model = TCAM(10, ENCODERS["resnet10"])
    return model, variable_shapes(model, 32)["params"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "adamv"}, "name must be an optimiser of optax, such as sgd.*it is 'adamv'"),
        ({"name": "scale_by_adam"}, "must be an optimiser of optax"),
        ({"name": "lars"}, "not proportional to the learning rate"),
        ({"args": {"momemtum": 0.9}}, "args must be made of momentum, nesterov.*'momemtum'"),
        ({"schedule": "linear"}, "schedule must be one of step, constant, cosine, warmup_cosine"),
        (
            {"multipliers": (("layer9", 0.1),)},
            r"no trained parameter has 'layer9'.*such as classification_head/",
        ),
        ({"multipliers": (("(", 0.1),)}, "classifier.optimizer: missing"),
        ({"ema": 1.0}, "ema must be at least 0 and below 1; it is 1.0"),
        ({"clip_norm": -1.0}, "clip_norm must be at least 0"),
    ],
)
def test_what_cannot_be_used_is_named(changes, message):
    config = defaults.get_config()
    config.classifier.optimizer.update(changes)
    with pytest.raises(InputError, match=message):
        check_optimizer(config, "classifier", *_resnet10())


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "lamb", "lion", "rmsprop", "nadamw"])
def test_usual_optimisers_can_be_used(name):
    config = defaults.get_config()
    config.tcam.optimizer.name = name
    check_optimizer(config, "tcam", *_resnet10())
