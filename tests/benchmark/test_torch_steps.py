"""The twin's training steps and inference are ours: same weights, batch and draws."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from tcam_jax.benchmark.torch_frames import Draws
from tcam_jax.benchmark.torch_inference import infer
from tcam_jax.benchmark.torch_losses import NAMES
from tcam_jax.benchmark.torch_steps import ClassifierStep, TCAMStep
from tcam_jax.benchmark.torch_twin import Classifier
from tcam_jax.config import defaults
from tcam_jax.data.geometry import random_geometry, sample_keys
from tcam_jax.evaluate.maps import TCAM_PROBABILITY, make_forward
from tcam_jax.losses.log_barrier import barrier_t
from tcam_jax.models.encoders.registry import ENCODERS, backbone
from tcam_jax.models.tcam import CLASSIFIER_PARTS, LOCALISER_PARTS, TCAM, select
from tcam_jax.pseudo_labels.seed_maps import FrozenClassifiers
from tcam_jax.runtime.errors import InputError
from tcam_jax.train.optimizer import make_optimizer, make_schedule
from tcam_jax.train.state import create_state
from tcam_jax.train.step import classifier_step, tcam_step
from tests.torch_networks import same_weights, torch_network

B, RESIZE, CROP, STEPS = 4, 40, 32, 2


@pytest.fixture
def config():
    config = defaults.get_config()
    config.model.encoder = "resnet10"
    config.dataset.resize, config.dataset.crop = RESIZE, CROP
    config.classifier.optimizer.learning_rate = 0.01
    config.tcam.seeds.fg_pixels = config.tcam.seeds.bg_pixels = 3
    config.tcam.losses.crf.weight = 1e-8
    return config


def _batch(t: int) -> dict[str, np.ndarray]:
    """Four windows of smooth frames; one is grey all over, one has no frame before the target."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (B, t, RESIZE // 8, RESIZE // 8, 3), dtype=np.uint8)
    frames = coarse.repeat(8, axis=2).repeat(8, axis=3)
    frames[3] = 128
    valid = np.ones((B, t), bool)
    valid[1, :-1] = False
    label, slot = np.arange(B, dtype=np.int32), np.arange(B, dtype=np.int32)
    return {"frames": frames, "valid": valid, "label": label, "slot": slot}


def _draws(config, number: int, batch: dict, noise: bool) -> Draws:
    """What our step draws in its batch `number`."""
    keys = sample_keys(config.seed, jnp.int32(number), jnp.asarray(batch["slot"]))
    seed_keys = None
    if noise:
        keys, seed_keys = jnp.moveaxis(jax.vmap(jax.random.split)(keys), 1, 0)
    geometry = jax.vmap(lambda key: random_geometry(key, RESIZE, CROP))(keys)
    drawn = Draws(*(torch.from_numpy(np.array(x)) for x in geometry))
    drawn = drawn._replace(top=drawn.top.long(), left=drawn.left.long())
    if not noise:
        return drawn
    gumbel = partial(jax.random.gumbel, shape=(CROP * CROP,), dtype=jnp.float32, mode="high")
    pairs = jnp.moveaxis(jax.vmap(jax.random.split)(seed_keys), 1, 0)
    fg, bg = (torch.from_numpy(np.array(jax.vmap(gumbel)(pair))) for pair in pairs)
    return drawn._replace(fg_noise=fg, bg_noise=bg)


def _our_steps(config, stage: str, network, batch):
    """Train `STEPS` steps; return the metrics of each and the variables."""
    model = TCAM(num_classes=7, backbone=backbone(config), dtype=jnp.float64)
    variables = jax.tree.map(lambda x: x.astype(jnp.float64), same_weights(network, model))
    shared = {
        "config": config,
        "optimizer": make_optimizer(config[stage].optimizer, model),
        "schedule": make_schedule(config[stage].optimizer, 1, 10),
        "axis_name": None,
    }
    if stage == "classifier":
        parts, frozen = CLASSIFIER_PARTS, None
        model = dataclasses.replace(model, train_classifier=True)
        step = partial(classifier_step, model=model, **shared)
    else:
        classifier = select(variables, CLASSIFIER_PARTS)
        parts, frozen = LOCALISER_PARTS, FrozenClassifiers(classifier, None)
        model = dataclasses.replace(model, train_localiser=True)
        step = partial(tcam_step, model=model, **shared, steps_per_epoch=1)
    state = create_state(select(variables, parts), shared["optimizer"])
    step, metrics = jax.jit(step), []
    for _ in range(STEPS):
        state, measured = step(state, frozen, jax.tree.map(lambda x: x[None], batch))
        metrics.append({name: float(a / c) for name, (a, c) in measured.items()})
    trained = {"params": state.params, "batch_stats": state.batch_stats}
    return metrics, trained


def _assert_same_variables(ours, network, config):
    model = TCAM(num_classes=7, backbone=backbone(config))
    theirs = same_weights(network, model)
    for path, expected in jax.tree_util.tree_leaves_with_path(ours):
        found = theirs
        for key in path:
            found = found[key.key]
        # They come back as float32.
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7, err_msg=str(path))


def _in_torch(batch):
    batch = {name: torch.from_numpy(x) for name, x in batch.items()}
    return batch | {"label": batch["label"].long()}


SMALL_VIT = {"width": 48, "depth": 3, "heads": 6, "trained_size": CROP}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("encoder", "options"),
    [
        ("resnet10", {}),
        ("vgg16", {}),
        ("vit_small_patch16", SMALL_VIT),
    ],
)
def test_stage_1_is_ours(config, encoder, options):
    config.model.encoder, config.model.encoder_options = encoder, options
    with jax.enable_x64(True):
        batch = _batch(t=1)
        network = torch_network(num_classes=7, encoder=backbone(config)()).double()
        expected, variables = _our_steps(config, "classifier", network, batch)
        classifier = Classifier(7, backbone(config)()).double()
        classifier.load_state_dict(network.state_dict(), strict=False)
        step = ClassifierStep(classifier, config)
        for number in range(STEPS):
            loss = step(_in_torch(batch), _draws(config, number, batch, noise=False))
            np.testing.assert_allclose(loss, expected[number]["loss"], rtol=1e-9)
        assert abs(expected[0]["loss"] - expected[1]["loss"]) > 1e-3
        network.load_state_dict(classifier.state_dict(), strict=False)
        _assert_same_variables(variables, network, config)


@pytest.mark.slow
@pytest.mark.parametrize(("view", "without"), [("frame", ()), ("crop", NAMES[:1])])
def test_stage_2_is_ours(config, view, without):
    config.tcam.seed_view = view
    for name in without:
        config.tcam.losses[name].weight = 0.0
    with jax.enable_x64(True):
        batch = _batch(t=2)
        network = torch_network(num_classes=7, depth=10).double()
        expected, variables = _our_steps(config, "tcam", network, batch)
        step = TCAMStep(network, config)
        for number in range(STEPS):
            t = float(barrier_t(number, **config.tcam.barrier))
            draws = _draws(config, number, batch, noise=True)
            total, values = step(_in_torch(batch), t, draws)
            np.testing.assert_allclose(total, expected[number]["loss"], rtol=1e-8)
            for name, value in values.items():
                ours = expected[number][f"loss_{name}"]
                np.testing.assert_allclose(value, ours, rtol=1e-8, err_msg=name)
        assert set(values) == set(NAMES) - set(without)
        _assert_same_variables(variables, network, config)


def test_inference_is_ours():
    network = torch_network(num_classes=7, depth=10)
    model = TCAM(num_classes=7, backbone=ENCODERS["resnet10"])
    frames = _batch(t=1)["frames"][:, 0, :CROP, :CROP]
    logits, maps = infer(network, torch.from_numpy(frames))
    forward = make_forward(model, (TCAM_PROBABILITY,))
    outputs = forward(same_weights(network, model), frames, np.zeros(B, np.int32))
    np.testing.assert_allclose(outputs.logits, logits, rtol=1e-4, atol=1e-4)
    difference = np.abs(np.asarray(outputs.maps[0], int) - maps.numpy())
    assert difference.max() <= 1  # a level's border
    assert (difference > 0).mean() < 0.01
    assert np.ptp(maps.numpy()) > 5


def test_draws_are_its_own_where_none_are_given(config):
    torch.manual_seed(0)
    network = torch_network(num_classes=7, depth=10)
    step = TCAMStep(network, config)
    batch = _in_torch(_batch(t=2))
    losses = [step(batch, t=1.0)[0] for _ in range(2)]
    assert all(torch.isfinite(loss) for loss in losses)
    config.classifier.optimizer.learning_rate = 0.001
    first = ClassifierStep(Classifier(7, ENCODERS["resnet10"]()), config)
    losses = [float(first(batch)) for _ in range(3)]
    assert losses[-1] < losses[0]


def test_what_the_twin_lacks_is_refused(config):
    config.tcam.losses.entropy.weight = 1.0
    with pytest.raises(InputError, match=r"tcam\.losses\.entropy\.weight must be 0\.0"):
        TCAMStep(torch_network(num_classes=7, depth=10), config)
