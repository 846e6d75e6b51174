"""Every CAM method against its published formula, written out in float64 loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tcam_jax.cams import gradient_free_methods as free
from tcam_jax.cams import gradient_methods as gradient
from tcam_jax.cams.head import Head, class_gradient, linear_head
from tcam_jax.cams.methods import (
    CAM_METHODS,
    ENCODER_MAPS,
    FRAME_METHODS,
    class_activation_map,
    class_activation_maps,
    classifier_head,
)
from tcam_jax.cams.normalise import min_max
from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.tcam import TCAM, init_variables, variable_shapes

FEATURE_METHODS = [
    method for method in CAM_METHODS if method not in (*FRAME_METHODS, *ENCODER_MAPS)
]
RNG = np.random.default_rng(0)
FEATURES = jnp.asarray(RNG.gamma(1.0, 1.0, (5, 6, 8)), jnp.float32)  # after a ReLU: >= 0
KERNEL = jnp.asarray(RNG.normal(size=(8, 3)), jnp.float32)
LINEAR = linear_head(KERNEL)
MIXING = jnp.asarray(RNG.normal(0.2, 1, size=(30, 8, 3)), jnp.float32)
CLASS = 1


def _curved_scores(features):
    """A head whose gradient differs from place to place and with the features."""
    return jnp.tanh(jnp.einsum("pc,pck->k", features.reshape(30, 8) ** 2, MIXING) / 100)


CURVED = Head(scores=_curved_scores, maps=lambda features: features @ KERNEL)
# The same linear head with the closed forms turned off.
BY_AUTODIFF = LINEAR._replace(kernel=None)
HEADS = {"linear": LINEAR, "curved": CURVED}


def _numeric_gradient(head):
    """Central differences in float64."""
    with jax.enable_x64(True):
        features = np.asarray(FEATURES, np.float64)
        result = np.zeros_like(features)
        scores = jax.jit(head.scores)
        for index in np.ndindex(features.shape):
            step = np.zeros_like(features)
            step[index] = 1e-5
            change = scores(features + step)[CLASS] - scores(features - step)[CLASS]
            result[index] = change / 2e-5
        return result


@pytest.fixture(scope="module")
def gradients():
    return {name: _numeric_gradient(head) for name, head in HEADS.items()}


def _published(method, a, g):
    """The raw map of a gradient method, by its paper's formula, in plain loops."""
    height, width, channels = a.shape
    weights = np.zeros_like(a)
    for c in range(channels):
        total = sum(a[i, j, c] for i in range(height) for j in range(width))
        terms = []
        for i in range(height):
            for j in range(width):
                here = g[i, j, c]
                if method == "gradcam":
                    terms.append(here / (height * width))
                elif method == "xgradcam":
                    terms.append(here * a[i, j, c] / total)
                elif method == "gradcampp":
                    alpha = here**2 / (2 * here**2 + total * here**3)
                    terms.append(alpha * max(here, 0))
                elif method == "gradcampp_reference":
                    terms.append(here**2 * max(here, 0))
                elif method == "layercam":
                    weights[i, j, c] = max(here, 0)
        if terms:
            weights[:, :, c] = sum(terms)
    return np.maximum((weights * a).sum(-1), 0)


def _scaled(raw):
    return (raw - raw.min()) / (raw.max() - raw.min())


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize(
    "method", ["gradcam", "xgradcam", "gradcampp", "gradcampp_reference", "layercam"]
)
def test_gradient_methods_equal_their_published_formulas(method, head, gradients):
    ours = class_activation_map(method, FEATURES, HEADS[head], CLASS)
    expected = _scaled(_published(method, np.asarray(FEATURES, np.float64), gradients[head]))
    assert 0.05 < expected.mean() < 0.95
    np.testing.assert_allclose(ours, expected, atol=1e-4)


def test_smooth_gradcampp_gives_zeros_for_constant_features():
    constant = jnp.ones_like(FEATURES)
    for head in (LINEAR, BY_AUTODIFF):
        raw = gradient.smoothgradcampp(constant, jnp.stack([constant] * 3), head, CLASS)
        np.testing.assert_array_equal(min_max(raw), np.zeros((5, 6)))


@pytest.mark.parametrize("method", [m for m in FEATURE_METHODS if m != "eigencam"])
def test_closed_forms_equal_the_backward_pass(method):
    closed = class_activation_map(method, FEATURES, LINEAR, CLASS)
    general = class_activation_map(method, FEATURES, BY_AUTODIFF, CLASS)
    np.testing.assert_allclose(closed, general, atol=1e-5)


def test_the_gradient_of_a_linear_head_is_one_value_a_channel():
    closed = class_gradient(FEATURES, LINEAR, CLASS)
    assert closed.shape == (1, 1, 8)
    general = class_gradient(FEATURES, BY_AUTODIFF, CLASS)
    np.testing.assert_allclose(jnp.broadcast_to(closed, general.shape), general, rtol=1e-5)


def test_small_gradients_do_not_vanish():
    """Gradients of a real head are about 1e-5: their cubes must not become zero."""
    tiny = linear_head(KERNEL * 1e-14)
    for method in ("gradcampp", "gradcampp_reference"):
        result = class_activation_map(method, FEATURES, tiny, CLASS)
        assert result.max() == 1, method
    raw = gradient.smoothgradcampp(FEATURES, FEATURES[None], tiny, CLASS)
    assert min_max(raw).max() == 1


def test_smooth_gradcampp_averages_the_powers_of_the_gradient():
    noisy = FEATURES + 0.3 * jax.random.normal(jax.random.key(0), (4, *FEATURES.shape))
    g = np.stack([class_gradient(sample, CURVED, CLASS) for sample in noisy]).astype(np.float64)
    a = np.asarray(FEATURES, np.float64)
    d1, d2, d3 = g.mean(0), (g**2).mean(0), (g**3).mean(0)
    alpha = d2 / (2 * d2 + a.sum((0, 1)) * d3)
    weights = (alpha * np.maximum(d1, 0)).sum((0, 1))
    expected = _scaled(np.maximum((weights * a).sum(-1), 0))
    raw = gradient.smoothgradcampp(FEATURES, noisy, CURVED, CLASS)
    np.testing.assert_allclose(min_max(raw), expected, atol=1e-4)
    # Without noise it is GradCAM++; for a linear head it always is.
    for head, samples in ((CURVED, FEATURES[None]), (LINEAR, noisy)):
        raw = gradient.smoothgradcampp(FEATURES, samples, head, CLASS)
        plain = gradient.gradcampp(FEATURES, head, CLASS)
        np.testing.assert_allclose(min_max(raw), min_max(plain), atol=1e-5)


def test_cam_is_the_weighted_sum_or_the_heads_own_map():
    expected = np.zeros((5, 6))
    for y in range(5):
        for x in range(6):
            expected[y, x] = sum(float(FEATURES[y, x, c] * KERNEL[c, 2]) for c in range(8))
    np.testing.assert_allclose(free.cam(FEATURES, LINEAR, 2), expected, rtol=1e-5)
    np.testing.assert_allclose(free.cam(FEATURES, CURVED, 2), expected, rtol=1e-5)


@pytest.mark.parametrize("head", HEADS)
def test_ablationcam_takes_each_channel_away(head):
    scores = HEADS[head].scores
    whole = scores(FEATURES)[CLASS]
    drops = [whole - scores(FEATURES.at[:, :, c].set(0))[CLASS] for c in range(8)]
    expected = np.maximum((np.array(drops) * FEATURES).sum(-1), 0)
    ours = class_activation_map("ablationcam", FEATURES, HEADS[head], CLASS)
    np.testing.assert_allclose(ours, _scaled(expected), atol=1e-4)


@pytest.mark.parametrize("places", [30, 6])  # more than channels, and fewer
def test_eigencam_is_the_projection_on_the_first_singular_vector(places):
    features = FEATURES.reshape(-1, 6, 8)[: places // 6]
    flat = np.asarray(features, np.float64).reshape(places, 8)
    _, _, vectors = np.linalg.svd(flat)
    projection = flat @ vectors[0]
    projection *= np.sign(projection.sum())
    ours = class_activation_map("eigencam", features, LINEAR, CLASS)
    np.testing.assert_allclose(ours, _scaled(projection.reshape(-1, 6)), atol=1e-4)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("method", FEATURE_METHODS)
def test_normalised_to_zero_one_and_zeros_where_constant(method, head):
    result = class_activation_map(method, FEATURES, HEADS[head], 0)
    assert result.min() == 0 and result.max() == 1
    for constant in (jnp.ones_like(FEATURES), jnp.zeros_like(FEATURES)):
        for linear in (LINEAR, BY_AUTODIFF):
            flat = class_activation_map(method, constant, linear, 0)
            np.testing.assert_array_equal(flat, np.zeros((5, 6)))
        seen = class_activation_map(method, constant, HEADS[head], 0)
        assert np.isfinite(seen).all()


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("method", FEATURE_METHODS)
def test_jit_and_vmap_over_frames_and_classes_equal_the_single_map(method, head):
    frames = jnp.stack([FEATURES, FEATURES[::-1], FEATURES[:, ::-1] / 2])
    classes = jnp.array([2, 0, 1])
    one = lambda f, c: class_activation_map(method, f, HEADS[head], c)  # noqa: E731
    batched = jax.jit(jax.vmap(one))(frames, classes)
    for i in range(3):
        np.testing.assert_allclose(batched[i], one(frames[i], classes[i]), atol=1e-4)


@pytest.mark.parametrize("method", FEATURE_METHODS)
def test_bfloat16_features_give_a_float32_map(method):
    rounded = FEATURES.astype(jnp.bfloat16)
    result = class_activation_map(method, rounded, LINEAR, 0)
    assert result.dtype == jnp.float32
    expected = class_activation_map(method, rounded.astype(jnp.float32), LINEAR, 0)
    np.testing.assert_array_equal(result, expected)


@pytest.mark.slow
def test_layers_above_an_earlier_stage_run_forwards_once():
    """A map at layer3 needs layer4's backward pass; its forward pass is part of `classify`."""
    model = TCAM(num_classes=3, backbone=ENCODERS["resnet10"])
    frames = jax.ShapeDtypeStruct((8, 80, 80, 3), jnp.float32)  # 10x10 maps: in all, large ones
    variables = variable_shapes(model, 80)

    def forward(variables, frames):
        return model.apply(variables, frames, method="classify")

    def above(variables, features):
        return model.apply(variables, features, "layer3", method="classify_from")

    def maps(variables, frames):
        output, classes = forward(variables, frames), jnp.arange(8) % 3
        args = (model, variables, frames, output, classes, "layercam", "layer3")
        return class_activation_maps(*args)

    def operations(function, *args):
        return jax.jit(function).lower(*args).compile().cost_analysis()["flops"]

    output = jax.eval_shape(forward, variables, frames)
    layer4 = operations(above, variables, output.features["layer3"])
    once = operations(forward, variables, frames) + layer4
    assert operations(maps, variables, frames) < once + layer4 / 2


@pytest.mark.slow
def test_the_gradient_of_one_frame_is_its_row_of_the_batch():
    model = TCAM(num_classes=3, backbone=ENCODERS["resnet10"])
    variables = init_variables(model, jax.random.key(0), 32)
    gradient_of = classifier_head(model, variables, "layer3").gradient
    features = jnp.asarray(RNG.gamma(1.0, 1.0, (2, 4, 4, 256)), jnp.float32)
    each = jnp.stack([gradient_of(features[0], 2), gradient_of(features[1], 2)])
    shared_class = jax.vmap(lambda one: gradient_of(one, 2))(features)
    shared_frame = jax.vmap(lambda index: gradient_of(features[1], index))(jnp.array([0, 2]))
    largest = np.abs(each).max()
    assert largest > 0
    np.testing.assert_allclose(shared_class, each, atol=1e-5 * largest)
    np.testing.assert_allclose(shared_frame[1], each[1], atol=1e-5 * largest)
