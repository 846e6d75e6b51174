"""The seed maps of a batch against a plain loop over samples and frames."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from tcam_jax.cams.head import linear_head
from tcam_jax.cams.methods import class_activation_map
from tcam_jax.data.geometry import Geometry, resize_map, shrink_frames, transform
from tcam_jax.models.tcam import CLASSIFIER_PARTS, TCAM, init_variables, select
from tcam_jax.pseudo_labels import seed_maps, windows
from tcam_jax.pseudo_labels.motion_prior import with_motion
from tcam_jax.pseudo_labels.seed_maps import FrozenClassifiers, features_and_seed_maps
from tests.models.test_layers import Mixed

MODEL = TCAM(num_classes=10, backbone=Mixed)  # of few layers: they are called one by one here


@pytest.fixture(scope="module")
def classifiers():
    keys = jax.random.split(jax.random.key(0))
    return [select(init_variables(MODEL, key, 32), CLASSIFIER_PARTS) for key in keys]


@pytest.fixture
def sample(config, make_batch):
    batch = {name: jnp.asarray(x[:3]) for name, x in make_batch(0, t=3).items()}
    geometry = Geometry(jnp.array([0, 3, 4]), jnp.array([2, 0, 1]), jnp.array([True, False, True]))
    size = config.dataset.crop
    views = jnp.stack(
        [
            jnp.stack([transform(f, Geometry(*(x[i] for x in geometry)), size) for f in window])
            for i, window in enumerate(batch["frames"])
        ]
    )
    return batch, geometry, views


def _cam(variables, frame, label):
    output = MODEL.apply(variables, MODEL.normalise(frame[None]), method="classify")
    kernel = variables["params"]["classification_head"]["fc"]["kernel"]
    return class_activation_map(
        "layercam", output.features[MODEL.last][0], linear_head(kernel), label
    )


@pytest.mark.slow
@pytest.mark.parametrize("view", ["crop", "frame"])
@pytest.mark.parametrize(
    ("two_classifiers", "cells"), [(False, None), (True, None), (True, (1, -2))]
)
def test_equal_to_a_loop(config, sample, classifiers, view, two_classifiers, cells):
    """`cells`: of the features, by which CAMs are displaced (down, right)."""
    config.tcam.seed_view = view
    batch, geometry, views = sample
    displaced = None if cells is None else jnp.array(cells) / 4
    frozen = FrozenClassifiers(
        classifiers[0], classifiers[1] if two_classifiers else None, displaced
    )
    seeing = classifiers[1] if two_classifiers else classifiers[0]
    target = 1
    features, maps = features_and_seed_maps(
        frozen, batch, views, geometry, target, False, config=config, model=MODEL
    )
    crop, resize = config.dataset.crop, config.dataset.resize
    expected = MODEL.apply(classifiers[0], MODEL.normalise(views[:, target]), method="classify")
    for name, stage in expected.features.items():
        np.testing.assert_allclose(features[name], stage, rtol=1e-3, atol=1e-4)
    for i in range(3):
        best = np.zeros((4, 4))
        for t in np.flatnonzero(batch["valid"][i]):
            frame = views[i, t] if view == "crop" else shrink_frames(batch["frames"][i, t], crop)
            best = np.maximum(best, _cam(seeing, frame, batch["label"][i]))
        if cells is not None:
            best = ndimage.shift(best, np.negative(cells), order=1, mode="nearest")
        best = jnp.float32(best)
        if view == "crop":
            one = resize_map(best, crop)
        else:
            one = transform(resize_map(best, resize), Geometry(*(x[i] for x in geometry)), crop)
        np.testing.assert_allclose(maps[i], one, atol=2e-3)


def test_true_boxes_as_maps(config, sample, classifiers):
    config.tcam.seed_source = "boxes"
    batch, geometry, views = sample
    boxes = jnp.array([[0, 0, 1, 1], [0.25, 0.5, 0.5, 1], [0, 0, 0.1, 0.1]], jnp.float32)
    frozen = FrozenClassifiers(classifiers[0], None)
    _, maps = features_and_seed_maps(
        frozen, {**batch, "boxes": boxes}, views, geometry, 1, False, config=config, model=MODEL
    )
    assert (maps[0] == 1).all()
    expected = np.zeros((36, 36))
    expected[18:36, 9:18] = 1  # y 0.5..1 and x 0.25..0.5 of 36 pixels
    np.testing.assert_array_equal(maps[1], expected[3:35, 0:32])
    corner = np.zeros((36, 36))
    corner[:4, :4] = 1
    np.testing.assert_array_equal(maps[2], corner[4:36, 1:33][:, ::-1])


def test_maps_from_files(config, sample, classifiers):
    config.tcam.seed_source = "files"
    batch, geometry, views = sample
    size = config.dataset.resize
    own = np.random.default_rng(0).random((3, 3, size, size)).astype(np.float32)
    frozen = FrozenClassifiers(classifiers[0], None)
    features, maps = features_and_seed_maps(
        frozen,
        {**batch, "seed_maps": jnp.asarray(own)},
        views,
        geometry,
        1,
        False,
        config=config,
        model=MODEL,
    )
    for i in range(3):
        pooled = own[i][np.asarray(batch["valid"][i])].max(axis=0)
        expected = transform(
            jnp.asarray(pooled), Geometry(*(x[i] for x in geometry)), config.dataset.crop
        )
        np.testing.assert_array_equal(maps[i], expected)
    expected = MODEL.apply(classifiers[0], MODEL.normalise(views[:, 1]), method="classify")
    np.testing.assert_allclose(features[MODEL.last], expected.features[MODEL.last], atol=1e-4)


@pytest.mark.parametrize("view", ["crop", "frame"])
def test_along_the_flow_neighbours_show_what_the_target_shows(
    config, sample, classifiers, monkeypatch, view
):
    """The scene moves by whole places; the mean over aligned frames is the target's own map."""
    config.tcam.seed_view, config.tcam.window.align = view, True
    config.tcam.window.pooling = "mean"
    batch, geometry, views = sample
    crop, resize = config.dataset.crop, config.dataset.resize
    side = crop if view == "crop" else resize
    scene = np.random.default_rng(4).random((3, 60, 60)).astype(np.float32)
    went = np.array([(-2, 1), (0, 0), (3, 2)])  # pixels (down, right) of each frame's content

    def seen(sample, frame):  # as a whole frame, or as that sample's crop of it
        down, right = 10 - went[frame]
        whole = scene[sample, down : down + resize, right : right + resize]
        own = Geometry(*(x[sample] for x in geometry))
        return np.asarray(transform(jnp.asarray(whole), own, crop)) if view == "crop" else whole

    cams = np.stack([[seen(sample, frame) for frame in range(3)] for sample in range(3)])
    monkeypatch.setattr(
        seed_maps, "class_activation_maps", lambda *_: jnp.asarray(cams.reshape(9, side, side))
    )
    flow = np.broadcast_to(went[None, :, None, None] / resize, (3, 3, 9, 9, 2))
    batch = {**batch, "flow": jnp.asarray(flow, jnp.float32), "valid": jnp.ones((3, 3), bool)}
    frozen = FrozenClassifiers(classifiers[0], None)
    _, maps = features_and_seed_maps(
        frozen, batch, views, geometry, 1, False, config=config, model=MODEL
    )
    for sample_ in range(3):
        own = Geometry(*(x[sample_] for x in geometry))
        alone = (
            cams[sample_, 1]
            if view == "crop"
            else transform(jnp.asarray(cams[sample_, 1]), own, crop)
        )
        np.testing.assert_allclose(maps[sample_], alone, atol=1e-5)


@pytest.mark.parametrize("labelled", ["target", "all"])
def test_what_moves_weighs_the_maps_of_its_frame(config, sample, classifiers, labelled):
    config.tcam.seed_source, config.tcam.window.labelled = "files", labelled
    config.tcam.window.cam_tmp = False
    batch, geometry, views = sample
    rng, resize = np.random.default_rng(5), config.dataset.resize
    own = rng.random((3, 3, resize, resize)).astype(np.float32)
    f = 3 if labelled == "all" else 1
    moving = rng.random((3, f, 9, 9)).astype(np.float32)
    batch = {**batch, "seed_maps": jnp.asarray(own), "motion": jnp.asarray(moving)}
    frozen = FrozenClassifiers(classifiers[0], None)

    def maps(share):
        config.tcam.seeds.motion = share
        return features_and_seed_maps(
            frozen, batch, views, geometry, 1, False, config=config, model=MODEL
        )[1].reshape(3, f, *views.shape[2:4])

    alone, weighed = maps(0.0), maps(0.4)
    for i in range(3):
        of_sample = Geometry(*(x[i] for x in geometry))
        for frame in range(f):
            motion = transform(
                resize_map(jnp.asarray(moving[i, frame]), resize), of_sample, config.dataset.crop
            )
            expected = with_motion(alone[i, frame], motion, 0.4)
            np.testing.assert_allclose(weighed[i, frame], expected, atol=1e-6)


@pytest.mark.parametrize("view", ["crop", "frame"])
def test_without_pooling_neighbours_do_not_matter(config, sample, classifiers, view):
    config.tcam.seed_view = view
    batch, geometry, views = sample
    frozen, target = FrozenClassifiers(classifiers[0], None), 1

    def maps(batch):
        return features_and_seed_maps(
            frozen, batch, views, geometry, target, False, config=config, model=MODEL
        )[1]

    alone = {**batch, "valid": jnp.zeros((3, 3), bool).at[:, target].set(True)}
    pooled, expected = maps(batch), maps(alone)
    assert not np.allclose(pooled, expected)
    config.tcam.window.cam_tmp = False
    np.testing.assert_array_equal(maps(batch), expected)


def test_maps_of_every_frame_are_those_of_each_as_the_target(config, sample, classifiers):
    config.tcam.seed_view, config.tcam.window.cam_tmp = "frame", False
    batch, geometry, views = sample
    frozen = FrozenClassifiers(classifiers[0], None, jnp.ones(2) / 4)

    def maps(target):
        return features_and_seed_maps(
            frozen, batch, views, geometry, target, False, config=config, model=MODEL
        )[1]

    alone = jnp.stack([maps(target) for target in range(3)], axis=1)
    config.tcam.window.labelled = "all"
    np.testing.assert_allclose(maps(1).reshape(alone.shape), alone, atol=1e-6)
    config.tcam.window.cam_tmp = True  # pooled over the window, for all of its frames
    pooled = maps(1).reshape(alone.shape)
    shown = np.where(batch["valid"][:, :, None, None], alone, 0).max(axis=1, keepdims=True)
    assert (np.asarray(pooled) >= shown - 1e-5).all()
    np.testing.assert_allclose(pooled, pooled[:, :1].repeat(3, axis=1), rtol=1e-6)

    # Seen from the sources: as here, where they are what "frame" makes of the training frames.
    batch["sources"] = shrink_frames(batch.pop("frames"), config.dataset.crop)
    config.tcam.seed_view = "source"
    np.testing.assert_array_equal(maps(1).reshape(alone.shape), pooled)


def test_every_labelled_frame_draws_seeds_of_its_own(config, sample, monkeypatch):
    config.tcam.window.labelled = "all"
    shape = (9, config.dataset.crop, config.dataset.crop)
    monkeypatch.setattr(windows, "features_and_seed_maps", lambda *_, **__: ({}, jnp.zeros(shape)))
    monkeypatch.setattr(windows, "seed_map", lambda key, cam, **_: jax.random.bits(key, cam.shape))
    monkeypatch.setattr(windows, "region_of_interest", lambda cam, **_: cam > 0)
    seen = windows.label_windows(
        FrozenClassifiers({}, None), sample[0], jnp.int32(7), 1, True, config=config, model=MODEL
    )
    assert seen.seeds.shape == seen.object_box.shape == shape
    assert len({draws.tobytes() for draws in np.asarray(seen.seeds)}) == 9


@pytest.mark.parametrize("source", ["cam", "boxes"])
@pytest.mark.parametrize("two_classifiers", [False, True])
def test_features_of_whole_windows(config, sample, classifiers, source, two_classifiers):
    config.tcam.seed_source = source
    batch, geometry, views = sample
    batch = {**batch, "boxes": jnp.array([[0, 0, 1, 1]] * 3, jnp.float32)}
    frozen = FrozenClassifiers(classifiers[0], classifiers[1] if two_classifiers else None)
    features, _ = features_and_seed_maps(
        frozen, batch, views, geometry, 1, True, config=config, model=MODEL
    )
    frames = MODEL.normalise(views.reshape(9, *views.shape[2:]))
    expected = MODEL.apply(classifiers[0], frames, method="classify").features
    for name, stage in expected.items():
        np.testing.assert_allclose(features[name], stage, rtol=1e-3, atol=1e-4)
