import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tcam_jax.cams.methods import CAM_METHODS, cam, class_activation_map, layercam
from tcam_jax.cams.temporal import temporal_max

RNG = np.random.default_rng(0)
FEATURES = jnp.asarray(RNG.gamma(1.0, 1.0, (5, 6, 8)), jnp.float32)  # after a ReLU: >= 0
KERNEL = jnp.asarray(RNG.normal(size=(8, 3)), jnp.float32)


def test_cam_equals_a_loop():
    expected = np.zeros((5, 6))
    for y in range(5):
        for x in range(6):
            expected[y, x] = sum(float(FEATURES[y, x, c] * KERNEL[c, 2]) for c in range(8))
    np.testing.assert_allclose(cam(FEATURES, KERNEL, 2), expected, rtol=1e-5)


def test_layercam_equals_its_definition_by_autodiff():
    logit = lambda features: (features.mean((0, 1)) @ KERNEL)[1]  # noqa: E731
    gradient = jax.grad(logit)(FEATURES)
    definition = jax.nn.relu((jax.nn.relu(gradient) * FEATURES).sum(-1))
    np.testing.assert_allclose(
        layercam(FEATURES, KERNEL, 1) / (5 * 6), definition, rtol=1e-5, atol=1e-7
    )


@pytest.mark.parametrize("method", CAM_METHODS)
def test_normalised_to_zero_one_and_zeros_where_constant(method):
    result = class_activation_map(method, FEATURES, KERNEL, 0)
    assert result.min() == 0 and result.max() == 1
    constant = class_activation_map(method, jnp.ones_like(FEATURES), KERNEL, 0)
    np.testing.assert_array_equal(constant, np.zeros((5, 6)))


@pytest.mark.parametrize("method", CAM_METHODS)
def test_jit_and_vmap_over_frames_and_classes_equal_the_single_map(method):
    frames = jnp.stack([FEATURES, FEATURES[::-1], 2 * FEATURES**2])
    classes = jnp.array([2, 0, 1])
    batched = jax.jit(
        jax.vmap(lambda f, c: class_activation_map(method, f, KERNEL, c), in_axes=(0, 0))
    )(frames, classes)
    for i in range(3):
        single = class_activation_map(method, frames[i], KERNEL, classes[i])
        np.testing.assert_allclose(batched[i], single, atol=1e-6)


def test_bfloat16_features_give_a_float32_map():
    result = class_activation_map("layercam", FEATURES.astype(jnp.bfloat16), KERNEL, 0)
    assert result.dtype == jnp.float32
    np.testing.assert_allclose(
        result, class_activation_map("layercam", FEATURES, KERNEL, 0), atol=0.02
    )


def test_temporal_max_ignores_absent_frames():
    cams = jnp.asarray(RNG.uniform(size=(4, 3, 3)), jnp.float32)
    valid = jnp.array([False, True, False, True])
    expected = np.maximum(cams[1], cams[3])
    np.testing.assert_array_equal(temporal_max(cams, valid), expected)
    np.testing.assert_array_equal(temporal_max(cams[1:2], valid[1:2]), cams[1])
