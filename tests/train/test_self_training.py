"""Seeds from the network's own maps: those of a plain loop over frames, from the step on."""

import logging
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tcam_jax.models.encoders.registry import backbone
from tcam_jax.models.tcam import CLASSIFIER_PARTS, LOCALISER_PARTS, TCAM, init_variables, select
from tcam_jax.pseudo_labels.seed_maps import FrozenClassifiers
from tcam_jax.pseudo_labels.windows import label_windows
from tcam_jax.train import self_training, step
from tcam_jax.train.optimizer import make_optimizer, make_schedule
from tcam_jax.train.state import TrainState, create_state

SPLIT = 3  # of 10 steps; of these on, the network teaches itself


@pytest.fixture
def config(config, small_encoder):
    config.model.encoder = small_encoder
    config.model.encoder_options = {"width": 16}
    config.tcam.epochs = 5  # of 2 steps
    config.tcam.seeds.self_training_start = SPLIT / 10
    config.tcam.optimizer.ema = 0.5
    return config


@pytest.fixture
def model(config):
    return TCAM(num_classes=10, backbone=backbone(config), train_localiser=True)


@pytest.fixture
def trained(config, model):
    """(the frozen classifier, a state whose average is not its parameters)."""
    first, second = (
        init_variables(model, jax.random.key(i), config.dataset.crop) for i in range(2)
    )
    optimizer = make_optimizer(config.tcam.optimizer, model)
    state = create_state(select(first, LOCALISER_PARTS), optimizer, 0.5)
    state = state.replace(average=select(second, LOCALISER_PARTS)["params"])
    return FrozenClassifiers(select(first, CLASSIFIER_PARTS), None), state


def _teacher_maps(config, model, frozen, state, frames):
    """The frames' maps, from their pixels on, in float64 from the logits on."""
    network = TCAM(num_classes=10, backbone=model.backbone)
    variables = {
        "params": frozen.encoder["params"] | state.average,
        "batch_stats": frozen.encoder.get("batch_stats", {}) | state.batch_stats,
    }
    _, logits = jax.jit(network.apply)(variables, network.normalise(frames))
    background, foreground = np.moveaxis(np.asarray(logits, np.float64), -1, 0)
    z = foreground - background
    low, high = (end((1, 2), keepdims=True) for end in (z.min, z.max))
    return (z - low) / (high - low)


@pytest.mark.parametrize(
    ("labelled", "whole_window"),
    [
        ("target", True),
        pytest.param("target", False, marks=pytest.mark.slow),
        pytest.param("all", True, marks=pytest.mark.slow),
    ],
)
def test_seeds_are_drawn_from_the_teachers_maps(
    config, model, trained, make_batch, labelled, whole_window
):
    config.tcam.window.labelled, target, t = labelled, 1, 2
    frozen, state = trained
    batch = {name: jnp.asarray(x[:2]) for name, x in make_batch(0, t).items()}

    @jax.jit
    def at(finished_steps, given):
        """Return the CAMs' maps, the chosen ones, what is labelled by CAMs, by these, by `given`.

        The draws are of batch 0 in any case.
        """
        then = state.replace(step=finished_steps)
        own = self_training.own_maps_from(
            then, config=config, model=model, num_steps=10, target=target
        )
        maps = []

        def choose(features, cams):
            maps.extend([cams, own(features, cams)])
            return maps[1]

        def label(choose_maps):
            return label_windows(
                frozen, batch, jnp.int32(0), target, whole_window,
                config=config, model=model, choose_maps=choose_maps,
            )  # fmt: skip

        return *map(label, (None, choose, lambda *_: given)), *maps

    crop = config.dataset.crop
    blank = jnp.zeros((4 if labelled == "all" else 2, crop, crop))
    plain, before, _, cams, chosen = at(SPLIT - 1, blank)
    np.testing.assert_array_equal(chosen, cams)
    jax.tree.map(np.testing.assert_array_equal, before, plain)

    views = plain.views[:, target : target + 1] if labelled == "target" else plain.views
    frames = views.reshape(-1, *views.shape[2:])
    by_hand = _teacher_maps(config, model, frozen, state, frames)
    plain, after, expected, _, own = at(SPLIT, jnp.asarray(by_hand, jnp.float32))
    np.testing.assert_allclose(own, by_hand, atol=1e-5)
    np.testing.assert_array_equal(after.seeds, expected.seeds)
    np.testing.assert_array_equal(after.object_box, expected.object_box)
    assert (np.asarray(after.seeds) != plain.seeds).any()


@pytest.fixture
def one_step(config, model, trained, make_batch):
    """Return () -> (step, batch) -> (state, metrics) of the stage's whole step, compiled anew."""
    shared = {"config": config, "model": model, "axis_name": None, "steps_per_epoch": 2}
    shared["optimizer"] = make_optimizer(config.tcam.optimizer, model)
    shared["schedule"] = make_schedule(config.tcam.optimizer, 2, 10)
    batch = {name: jnp.asarray(x[None, :4]) for name, x in make_batch(0, 2).items()}

    def compiled():
        step_of = jax.jit(partial(step.tcam_step, **shared))
        frozen, state = trained
        return lambda at: step_of(state.replace(step=jnp.int32(at)), frozen, batch)

    return compiled


@pytest.mark.slow
def test_steps_before_are_the_plain_ones_bit_for_bit(config, one_step, monkeypatch):
    with_own = one_step()
    before, after = with_own(SPLIT - 1), with_own(SPLIT)
    config.tcam.seeds.self_training_start = 1.0
    # As of before there was any self-training.
    monkeypatch.setattr(step, "own_maps_from", lambda *_, **__: None)
    plain = one_step()
    jax.tree.map(np.testing.assert_array_equal, before, plain(SPLIT - 1))
    (_, own), (_, other) = after, plain(SPLIT)
    assert own["loss_partial_ce"][0] != other["loss_partial_ce"][0]


@pytest.mark.parametrize(
    ("start", "first"), [(0.0, 0), (0.01, 1), (0.3, 3), (0.7, 7), (0.99, 9), (1.0, 10)]
)
def test_the_share_is_of_all_steps(config, model, caplog, start, first):
    config.tcam.seeds.self_training_start = start
    assert self_training.first_own_step(config, 10) == first
    choose = self_training.own_maps_from(
        TrainState(*[None] * 8), config=config, model=model, num_steps=10, target=0
    )
    assert (choose is None) == (first == 10)  # then nothing of it is in the step
    with caplog.at_level(logging.INFO):
        self_training.tell(config, 10)
    told = f"tcam: from step {first + 1} of 10 on, seeds are drawn from the network's own maps"
    assert caplog.messages == ([told] if first < 10 else [])
