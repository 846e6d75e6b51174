"""Single steps: the classifier's loss against PyTorch, and what mixed precision leaves alone."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from tcam_jax.config.recipes import use_recipe
from tcam_jax.data.geometry import random_geometry, sample_keys, transform
from tcam_jax.models.encoders.registry import backbone
from tcam_jax.models.tcam import CLASSIFIER_PARTS, LOCALISER_PARTS, TCAM, init_variables, select
from tcam_jax.pseudo_labels.seed_maps import FrozenClassifiers
from tcam_jax.train.optimizer import make_optimizer, make_schedule
from tcam_jax.train.state import create_state
from tcam_jax.train.step import classifier_step, tcam_step


@pytest.fixture
def config(config, small_encoder):
    config.model.encoder, config.model.decoder_width = small_encoder, 0.25
    return config


def _run(config, batch, stage, dtype=jnp.float32):
    width = config.model.decoder_width
    model = TCAM(num_classes=10, backbone=backbone(config), decoder_width=width, dtype=dtype)
    variables = init_variables(model, jax.random.key(0), config.dataset.crop)
    schedule = make_schedule(config[stage].optimizer, 2, 10)
    common = {
        "config": config,
        "optimizer": make_optimizer(config[stage].optimizer, model),
        "schedule": schedule,
        "axis_name": None,
    }
    if stage == "classifier":
        training, parts, frozen = {"train_classifier": True}, CLASSIFIER_PARTS, None
        step = classifier_step
    else:
        training, parts = {"train_localiser": True}, LOCALISER_PARTS
        frozen = FrozenClassifiers(select(variables, CLASSIFIER_PARTS), None)
        step = partial(tcam_step, steps_per_epoch=2)
    model = dataclasses.replace(model, **training)
    state = create_state(select(variables, parts), common["optimizer"])
    microbatches = jax.tree.map(lambda x: x[None], batch)
    stepped = jax.jit(partial(step, model=model, **common))(state, frozen, microbatches)
    return stepped, (model, variables)


@pytest.mark.slow
def test_the_classifiers_loss_equals_torch(config, make_batch):
    """Without smoothing: tests/benchmark/test_torch_steps.py."""
    config.classifier.label_smoothing = smoothing = 0.1
    batch = jax.tree.map(jnp.asarray, make_batch(0, 1))
    (_, metrics), (model, variables) = _run(config, batch, "classifier")
    crop, resize = config.dataset.crop, config.dataset.resize
    keys = sample_keys(config.seed, jnp.int32(0), jnp.asarray(batch["slot"]))
    images = jnp.stack(
        [
            transform(jnp.asarray(frame), random_geometry(key, resize, crop), crop)
            for frame, key in zip(batch["frames"][:, 0], keys, strict=True)
        ]
    )
    output, _ = model.apply(
        variables, model.normalise(images), method="classify", mutable=["batch_stats"]
    )
    expected = torch.nn.functional.cross_entropy(
        torch.from_numpy(np.array(output.logits)),
        torch.from_numpy(np.array(batch["label"])).long(),
        label_smoothing=smoothing,
    )
    total, count = metrics["loss"]
    np.testing.assert_allclose(total / count, expected, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["classifier", "tcam"])
def test_bfloat16_computes_but_does_not_keep(config, make_batch, stage):
    """Parameters, optimiser, running statistics, losses stay float32; the loss is about equal."""
    batch = make_batch(0, 2 if stage == "tcam" else 1)
    (full, metrics), _ = _run(config, batch, stage)
    (half, half_metrics), _ = _run(config, batch, stage, jnp.bfloat16)
    for leaf in jax.tree.leaves((half.params, half.batch_stats, half.opt_state, half_metrics)):
        assert leaf.dtype in (jnp.float32, jnp.int32)
        assert np.isfinite(leaf).all()
    total, count = metrics["loss"]
    half_total, half_count = half_metrics["loss"]
    np.testing.assert_allclose(half_total / half_count, total / count, rtol=0.05)
    changed = jax.tree.map(lambda a, b: np.abs(a - b).max() > 0, full.params, half.params)
    assert any(jax.tree.leaves(changed)), "nothing was computed in bfloat16"


@pytest.mark.slow
def test_a_step_of_colo_cam_on_windows_of_seven_frames(config, make_batch):
    config = use_recipe(config, "colo_cam")
    config.tcam.window.n = 6
    batch = {name: x[:3] for name, x in make_batch(0, 7).items()}
    batch["valid"][:] = True
    batch["valid"][1, :4] = False  # a shot of three frames, the last of which is the target …
    batch["valid"][2, :6] = False  # … and one of a single frame
    (state, metrics), (_, variables) = _run(config, batch, "tcam")
    counts = {name: float(count) for name, (_, count) in metrics.items()}
    assert all(np.isfinite(total) for total, _ in metrics.values())
    assert counts["loss_crf"] == counts["loss_size"] == 7 + 3 + 1  # the frames that there are
    assert counts["loss_joint_color_crf"] == 2  # the windows of several frames
    # 20 seeds of each kind (1,000 of 224 x 224) in every frame, 3 x 3 pixels each where they do
    # not overlap.
    assert 11 * 20 < counts["loss_partial_ce"] <= 11 * 2 * 20 * 9
    before = select(variables, LOCALISER_PARTS)["params"]
    moved = jax.tree.map(lambda a, b: np.abs(a - b).max() > 0, state.params, before)
    assert all(jax.tree.leaves(moved))
