"""The examples of docs/extending.md, as written there, each from a config file of the reader's."""

import functools
import sys
from contextlib import ExitStack
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tcam_jax
from tcam_jax.cams.head import Head
from tcam_jax.config.rules import validate
from tcam_jax.evaluate.results import find_row
from tcam_jax.losses.inputs import LossInputs
from tcam_jax.losses.objective import objective
from tcam_jax.models.tcam import CLASSIFIER_PARTS, init_variables, select
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.parallel import Parallel
from tcam_jax.train.logs import read_metrics
from tcam_jax.train.optimizer import make_optimizer, make_schedule
from tcam_jax.train.stages import make_model
from tcam_jax.train.state import create_state
from tcam_jax.train.step import classifier_step
from tests.docs.fenced import load

REGISTRIES = (tcam_jax.LOSSES, tcam_jax.HEADS, tcam_jax.CAM_METHODS, tcam_jax.ENCODERS)


@pytest.fixture
def example(tmp_path, monkeypatch):
    """Returns title -> the example as a module; what it registers is gone afterwards."""

    def as_module(title):
        monkeypatch.delitem(sys.modules, title.removesuffix(".py"), raising=False)
        return load("extending.md", title, tmp_path)

    with ExitStack() as kept:
        for registry in REGISTRIES:
            kept.enter_context(mock.patch.dict(registry))
        yield as_module


def test_a_loss(example):
    config = example("my_loss.py").get_config()
    validate(config)
    config.tcam.losses.total_variation.weight = 2.0  # as a flag would
    logits = jnp.asarray(np.random.default_rng(0).normal(0, 2, (2, 4, 3, 2)), jnp.float32)
    inputs = LossInputs(logits, jnp.zeros((2, 4, 3, 3)), jnp.zeros((2, 4, 3), int), jnp.ones(()))
    settings = config.tcam.losses.total_variation.to_dict()
    total, terms = jax.jit(lambda inputs: objective(inputs, {"total_variation": settings}))(inputs)
    s = np.asarray(jax.nn.softmax(logits))[..., 1]
    expected = sum(
        abs(s[b, y, x] - s[b, y + dy, x + dx])
        for b in range(2)
        for dy, dx in ((0, 1), (1, 0))
        for y in range(4 - dy)
        for x in range(3 - dx)
    )
    np.testing.assert_allclose(terms["total_variation"], (expected, 24), rtol=1e-5)
    np.testing.assert_allclose(total, 2.0 * expected / 24, rtol=1e-5)
    with config.unlocked():
        config.tcam.losses.total_variation.pwoer = 2.0
    with pytest.raises(InputError, match="made of weight, .*power; it is 'pwoer'"):
        validate(config)


def test_a_head(example):
    config = example("my_head.py").get_config()
    validate(config)
    config.model.encoder = "resnet10"
    model = make_model(config, 3)
    variables = init_variables(model, jax.random.key(0), 32)
    frames = jax.random.normal(jax.random.key(1), (2, 32, 32, 3))
    output = model.apply(variables, frames, method="classify")
    layer = variables["params"]["classification_head"]["conv"]
    features = np.asarray(output.features["layer4"], np.float64)
    for b in range(2):
        maps = features[b] @ np.asarray(layer["kernel"]) + np.asarray(layer["bias"])
        np.testing.assert_allclose(output.maps[b], maps, rtol=1e-3, atol=1e-4)
        for k in range(3):
            scores = maps[:, :, k].ravel()
            weights = [np.exp(2.0 * score) for score in scores]  # sharpness of the config
            expected = sum(w * s for w, s in zip(weights, scores, strict=True)) / sum(weights)
            np.testing.assert_allclose(output.logits[b, k], expected, rtol=1e-3, atol=1e-4)
    maps = tcam_jax.class_activation_maps(
        model, variables, frames, output, jnp.array([0, 2]), "layercam"
    )
    assert maps.shape == (2, 4, 4) and maps.max() == 1


def test_a_cam_method(example):
    module = example("my_cam.py")
    validate(module.get_config())
    features = np.random.default_rng(0).random((3, 4, 5))
    kernel = np.random.default_rng(1).normal(size=(5, 2))
    # log(mean(exp)) over the places: the gradient is the softmax times the kernel.
    scores = lambda x: jax.nn.logsumexp(x @ kernel, axis=(0, 1))  # noqa: E731
    head = Head(scores=scores, maps=lambda x: x @ kernel)
    exponentials = np.exp(features @ kernel[:, 1])
    attention = exponentials / exponentials.sum()
    expected = np.zeros((3, 4))
    for y in range(3):
        for x in range(4):
            for c in range(5):
                expected[y, x] += attention[y, x] * kernel[c, 1] * features[y, x, c]
    got = module.hirescam(jnp.asarray(features, jnp.float32), head, 1)
    np.testing.assert_allclose(got, np.maximum(expected, 0), rtol=1e-4, atol=1e-6)
    assert np.any(expected > 0)
    linear = module.hirescam(jnp.asarray(features), Head(scores, head.maps, jnp.asarray(kernel)), 1)
    np.testing.assert_allclose(linear, np.maximum(features @ kernel[:, 1] / 12, 0), rtol=1e-4)


@pytest.mark.slow
def test_an_encoder(example):
    config = example("my_encoder.py").get_config()
    validate(config)
    config.dataset.resize = config.dataset.crop = 32
    config.classifier.batch_size = 4
    config.classifier.optimizer.learning_rate = 0.01
    parallel = Parallel("jit", jax.devices()[:1])
    model = make_model(config, 2, train_classifier=True)
    variables = select(init_variables(model, jax.random.key(0), 32), CLASSIFIER_PARTS)
    encoder = jax.tree.leaves(variables["params"]["encoder"])
    channels = (3, 16, 32, 48, 64)
    expected = sum(9 * a * b + 2 * b for a, b in zip(channels, channels[1:], strict=False))
    assert sum(leaf.size for leaf in encoder) == expected
    optimizer = make_optimizer(config.classifier.optimizer, model)
    step = parallel.compile(
        functools.partial(
            classifier_step,
            config=config,
            model=model,
            optimizer=optimizer,
            schedule=make_schedule(config.classifier.optimizer, 10, 100),
            axis_name=None,
        )
    )
    label = np.array([0, 1, 0, 1], np.int32)
    batch = {
        "frames": np.full((4, 1, 32, 32, 3), 60, np.uint8) + 120 * label[:, None, None, None, None],
        "valid": np.ones((4, 1), bool),
        "label": label,
        "slot": np.arange(4, dtype=np.int32),
    }
    batch["frames"] = batch["frames"].astype(np.uint8)
    state = parallel.replicate(create_state(variables, optimizer))
    losses = []
    for _ in range(6):
        state, metrics = step(state, None, parallel.shard(batch))
        losses.append(float(metrics["loss"][0] / metrics["loss"][1]))
    assert losses[-1] < 0.5 * losses[0]

    evaluated = make_model(config, 2)
    frames = evaluated.normalise(batch["frames"][:2, 0])
    output = evaluated.apply(state.variables, frames, method="classify")
    for stage, size in (("stage2", 8), ("stage4", 2)):
        maps = tcam_jax.class_activation_maps(
            evaluated, state.variables, frames, output, jnp.array([0, 1]), "layercam", stage
        )
        assert maps.shape == (2, size, size)
    logits = output.logits
    for feature in evaluated.declared.features[:-1]:
        again = evaluated.apply(
            state.variables, output.features[feature.name], feature.name, method="classify_from"
        )
        np.testing.assert_allclose(again.logits, logits, rtol=1e-4, atol=1e-5)
    whole = init_variables(evaluated, jax.random.key(0), 32)
    map_logits = evaluated.apply(whole, output.features, (32, 32), method="localise")
    assert map_logits.shape == (2, 32, 32, 2)


def _shots(module, count, frames, first=0):
    """Shots of alternating classes; every frame is of one grey level, different for each."""
    levels = iter(range(first, 256))
    return [
        module.Shot(
            label=shot % 2,
            frames=np.stack(
                [np.full((30, 40, 3), next(levels), np.uint8) for _ in range(frames + shot % 2)]
            ),
            boxes=np.tile(np.float32([10, 5, 30, 25]), (frames + shot % 2, 1, 1)),
        )
        for shot in range(count)
    ]


@pytest.fixture
def shots(example):
    """Returns the example's module and splits of shots made for it."""
    module = example("my_data.py")
    return module, {
        "train": _shots(module, 6, 3),
        "validation": _shots(module, 2, 1, first=100),
        "test": _shots(module, 3, 2, first=150),
    }


def test_a_dataset(shots):
    module, splits = shots
    data = module.ArrayData(["dark", "light"], splits, seed=0, resize=36, crop=32)
    assert isinstance(data, tcam_jax.Data)

    # Two batches of four slots visit the six shots of 3, 4, 3 … frames: each once, two again.
    starts = np.cumsum([0, 3, 4, 3, 4, 3, 4])
    assert data.steps_per_epoch(4) == 2
    form = {"batch_size": 4, "n": 2, "mode": "before", "rows": np.array([3, 0, 1, 2])}
    batches = list(data.training_batches(**form, first_step=0, num_steps=2))
    visited = []
    for number, batch in enumerate(batches):
        assert batch["frames"].shape == (4, 3, 36, 36, 3) and batch["frames"].dtype == np.uint8
        assert batch["slot"].tolist() == [3, 0, 1, 2] and batch["slot"].dtype == np.int32
        names = data.frames_of_batch(number, 4)
        for i, slot in enumerate(batch["slot"]):
            target = int(batch["frames"][i, -1, 0, 0, 0])
            shot = int(np.searchsorted(starts, target, "right")) - 1
            visited.append(shot)
            assert batch["label"][i] == shot % 2
            place = target - starts[shot]
            assert names[slot] == f"{('dark', 'light')[shot % 2]}/train{shot}/0/{place:06}.jpg"
            assert batch["valid"][i].tolist() == [place >= 2, place >= 1, True]
            for back in (1, 2):
                if place >= back:
                    assert (batch["frames"][i, 2 - back] == target - back).all()
    assert set(visited) == set(range(6))
    (again,) = data.training_batches(**form, first_step=1, num_steps=2)
    jax.tree.map(np.testing.assert_array_equal, again, batches[1])


@pytest.mark.slow
def test_training_on_a_dataset(example, shots, config, tmp_path):
    _, splits = shots
    example_program = example("train_on_my_data.py")
    config.tcam.losses.crf.weight = 0.0
    config.eval.cam_methods = ("layercam",)
    for section in (config.classifier, config.tcam):
        section.batch_size, section.epochs = 8, 1
    results = example_program.train(config, ["dark", "light"], splits, tmp_path / "run")
    assert results["dataset"] == "my_data" and results["classes"] == ["dark", "light"]
    assert (results["frames"], results["boxes"], results["videos"]) == (7, 7, 3)
    # 20 x 20 of the frame's 40 x 30 pixels: the whole frame has an IoU of 1/3.
    corloc = {iou: find_row(results, "whole_frame", None, iou=iou)["corloc"] for iou in (0.3, 0.5)}
    assert corloc == {0.3: 100, 0.5: 0}
    lines = read_metrics(tmp_path / "run/tcam/metrics.jsonl")
    sizes = [line["loss_size"] for line in lines if "loss_size" in line]
    assert sizes and np.isfinite(sizes).all()
