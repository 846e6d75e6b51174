"""The losses beyond the paper's three, against their formulas in plain NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tcam_jax.losses.entropy import entropy
from tcam_jax.losses.inputs import LossInputs, Window
from tcam_jax.losses.joint_color_crf import joint_color_crf
from tcam_jax.losses.size import bg_larger_than_fg, empty_outside_box, fg_size
from tcam_jax.losses.temporal_consistency import temporal_consistency

T = 1.7


def example(dtype=jnp.float32):
    rng = np.random.default_rng(0)
    box = np.zeros((3, 5, 4), bool)
    box[:, 1:4, 1:3] = True
    window = Window(
        map_logits=jnp.asarray(rng.normal(0, 2, (3, 3, 5, 4, 2)), dtype),
        images=jnp.asarray(rng.integers(100, 140, (3, 3, 5, 4, 3)), dtype),
        valid=jnp.asarray([[True, True, True], [False, True, True], [False, False, True]]),
    )
    return LossInputs(
        map_logits=window.map_logits[:, 2],
        images=window.images[:, 2],
        seeds=jnp.asarray(rng.choice([-255, 0, 1], (3, 5, 4)), jnp.int32),
        barrier_t=jnp.asarray(T, dtype),
        object_box=jnp.asarray(box),
        window=window,
    )


def softmax(logits):
    return np.asarray(jax.nn.softmax(logits), np.float64)


def barrier(f, t=T):
    if f <= -1 / t**2:
        return -np.log(-f) / t
    return t * f - np.log(1 / t**2) / t + 1 / t


def test_entropy_is_in_bits():
    inputs = example()
    s = softmax(inputs.map_logits)
    total, count = entropy(inputs)
    np.testing.assert_allclose(total, -(s * np.log2(s)).sum(), rtol=1e-5)
    assert float(count) == 3 * 5 * 4
    undecided = inputs._replace(map_logits=jnp.zeros_like(inputs.map_logits))
    np.testing.assert_allclose(entropy(undecided)[0] / count, 1, rtol=1e-6)


def test_bg_larger_than_fg():
    inputs = example()
    areas = softmax(inputs.map_logits).sum(axis=(1, 2))
    total, count = bg_larger_than_fg(inputs)
    np.testing.assert_allclose(total, sum(barrier(a[1] - a[0]) for a in areas), rtol=1e-5)
    assert float(count) == 3


def test_fg_size():
    inputs = example()
    shares = softmax(inputs.map_logits)[..., 1].mean(axis=(1, 2))
    total, count = fg_size(inputs, target=0.2, tolerance=0.01)
    expected = sum((barrier(0.19 - s) + barrier(s - 0.21)) / 2 for s in shares)
    np.testing.assert_allclose(total, expected, rtol=1e-5)
    assert float(count) == 3


@pytest.mark.parametrize(("t", "acts"), [(1.0, False), (2.7, True)])
def test_fg_size_acts_only_beyond_the_barriers_reach(t, acts):
    # Share 0.5 and target 0.2: at distance 0.3, where 1 / t^2 is 1 and 0.137.
    inputs = example()._replace(barrier_t=jnp.float32(t))
    flat = jnp.zeros_like(inputs.map_logits)
    gradient = jax.grad(lambda z: fg_size(inputs._replace(map_logits=z), target=0.2)[0])(flat)
    assert bool((jnp.abs(gradient) > 1e-6).any()) == acts


def test_empty_outside_box():
    inputs = example()
    s = softmax(inputs.map_logits)[..., 1]
    total, count = empty_outside_box(inputs)
    outside = (s * ~np.asarray(inputs.object_box)).sum(axis=(1, 2))
    np.testing.assert_allclose(total, sum(barrier(f) for f in outside), rtol=1e-5)
    assert float(count) == 3
    gradient = jax.grad(lambda z: empty_outside_box(inputs._replace(map_logits=z))[0])
    assert not gradient(inputs.map_logits)[:, 1:4, 1:3].any()  # nothing is asked of the inside


def test_joint_color_crf():
    inputs = example()
    window = inputs.window
    s = softmax(window.map_logits)
    expected = 0
    for i, valid in enumerate(np.asarray(window.valid)):
        if valid.sum() < 2:
            continue
        colours = np.asarray(window.images[i][valid], np.float64).reshape(-1, 3)
        maps = s[i][valid].reshape(-1, 2)
        distances = ((colours[:, None] - colours) ** 2).sum(axis=-1)
        kernel = np.exp(-distances / (2 * 15.0**2))
        expected -= sum(maps[:, c] @ kernel @ maps[:, c] for c in (0, 1))
    for backend, tolerance in (("exact", 1e-5), ("grid", 0.02), ("grid_matmul", 0.02)):
        total, count = joint_color_crf(inputs, sigma_rgb=15.0, backend=backend)
        np.testing.assert_allclose(total, expected, rtol=tolerance)
        assert float(count) == 2  # the third sample has one frame alone
        scaled, _ = joint_color_crf(inputs, sigma_rgb=15.0, backend=backend, kernel_scale=0.77)
        np.testing.assert_allclose(scaled, 0.77 * total, rtol=1e-6)


def test_joint_color_crf_leaves_invalid_frames_alone():
    inputs = example()

    def value(logits):
        window = inputs.window._replace(map_logits=logits)
        return joint_color_crf(inputs._replace(window=window), sigma_rgb=15.0)[0]

    gradient = jax.jit(jax.grad(value))(inputs.window.map_logits)
    reached = np.asarray(jnp.abs(gradient).sum(axis=(2, 3, 4)) > 0)
    assert reached.tolist() == [[True, True, True], [False, True, True], [False, False, False]]


def test_temporal_consistency():
    inputs = example()
    window = inputs.window
    s, images = softmax(window.map_logits)[..., 1], np.asarray(window.images, np.float64)
    expected, pairs = 0, 0
    for i, valid in enumerate(np.asarray(window.valid)):
        for t in range(2):
            if valid[t] and valid[t + 1]:
                change = ((images[i, t + 1] - images[i, t]) ** 2).sum(axis=-1)
                weight = np.exp(-change / (2 * 15.0**2))
                expected += (weight * (s[i, t + 1] - s[i, t]) ** 2).mean()
                pairs += 1
    total, count = temporal_consistency(inputs, sigma_rgb=15.0)
    np.testing.assert_allclose(total, expected, rtol=1e-5)
    assert float(count) == pairs == 3
