"""The three evaluations of the dense Gaussian kernel, against every pair in NumPy float64."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from PIL import Image
from skimage import data

from tcam_jax.losses.kernels.energy import Kernel, pairwise_energy

BACKENDS = ("grid", "grid_matmul", "exact")


def photograph(name, size):
    return np.asarray(Image.fromarray(getattr(data, name)()).resize((size, size)), np.float64)


def brute_force(image, mask, difference, sigma_rgb, sigma_xy):
    """Return the energy and its gradient for the difference."""
    height, width = difference.shape
    y, x = np.mgrid[:height, :width]
    features = image / sigma_rgb
    if sigma_xy is not None:
        features = np.concatenate([features, np.stack([x, y], -1) / sigma_xy], axis=-1)
    features = features.reshape(height * width, -1)
    distances = sum(np.subtract.outer(f, f) ** 2 for f in features.T)
    kernel = np.exp(-distances / 2)
    m, d = mask.ravel(), difference.ravel()
    return -(m @ kernel @ m + d @ kernel @ d) / 2, -(kernel @ d).reshape(height, width)


def ours(image, mask, difference, kernel, dtype=jnp.float32):
    return _energy(*(jnp.asarray(x, dtype) for x in (image, mask, difference)), kernel)


@partial(jax.jit, static_argnames="kernel")  # compiled once for all images of a size
def _energy(image, mask, difference, kernel):
    return jax.value_and_grad(lambda d: pairwise_energy(image, mask, d, kernel))(difference)


def relative(actual, expected):
    return np.linalg.norm(np.asarray(actual) - expected) / np.linalg.norm(expected)


def smooth_map(size, seed=0):
    small = jnp.asarray(np.random.default_rng(seed).normal(0, 2, (5, 5)))
    return np.asarray(jnp.tanh(jax.image.resize(small, (size, size), "cubic")), np.float64)


# Bounds of the documentation: gradients and values; 56 pixels have the ratios of 224 and sigma 100.
@pytest.mark.parametrize(
    ("backend", "accuracy", "gradient_bound", "value_bound"),
    [
        ("grid", "default", 0.02, 0.01),
        ("grid", "fine", 0.01, 0.007),
        ("grid_matmul", "default", 0.02, 0.01),
        ("grid_matmul", "fine", 0.01, 0.007),
        ("exact", "default", 1e-5, 1e-5),
    ],
)
@pytest.mark.parametrize("name", ["astronaut", "coffee", "rocket"])
def test_photographs(name, backend, accuracy, gradient_bound, value_bound):
    image, difference, mask = photograph(name, 56), smooth_map(56), np.ones((56, 56))
    energy, gradient = ours(image, mask, difference, Kernel(15.0, 25.0, backend, accuracy))
    expected, expected_gradient = brute_force(image, mask, difference, 15.0, 25.0)
    assert abs(energy / expected - 1) < value_bound
    assert relative(gradient, expected_gradient) < gradient_bound


def stress_images(size=24):
    rng = np.random.default_rng(1)
    ramp = np.linspace(0, 255, size)
    half = np.where(np.arange(size) < size // 2, 0.0, 255.0)
    grey = rng.integers(0, 256, (size, size, 1))
    return {
        "noise": rng.integers(0, 256, (size, size, 3)),
        "grey noise": grey.repeat(3, axis=2),
        "black": np.zeros((size, size, 3)),
        "white": np.full((size, size, 3), 255),
        **{f"flat {c}": np.full((size, size, 3), c) for c in range(100, 131, 3)},
        "flat, coloured": np.broadcast_to([119, 126, 240], (size, size, 3)),
        "halves": np.broadcast_to(half[:, None, None], (size, size, 3)),
        "gradient": np.stack(np.broadcast_arrays(ramp[:, None], ramp, ramp[::-1]), axis=-1),
        "not integers": rng.uniform(0, 255, (size, size, 3)),
    }


@pytest.mark.parametrize("backend", ["grid", "grid_matmul"])
@pytest.mark.parametrize("name", stress_images())
def test_other_images(name, backend):
    image, difference, mask = stress_images()[name], smooth_map(24), np.ones((24, 24))
    energy, gradient = ours(image, mask, difference, Kernel(15.0, 11.0, backend))
    expected, expected_gradient = brute_force(image, mask, difference, 15.0, 11.0)
    assert abs(energy / expected - 1) < 0.03
    assert relative(gradient, expected_gradient) < 0.04  # few pairs of noise are alike


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["grid", "grid_matmul"])
@pytest.mark.parametrize("sigma_rgb", [4.0, 40.0, 100.0, 1000.0])
def test_other_bandwidths(sigma_rgb, backend):
    image, difference, mask = photograph("astronaut", 32), smooth_map(32), np.ones((32, 32))
    for sigma_xy in (6.0, 1000.0):
        energy, gradient = ours(image, mask, difference, Kernel(sigma_rgb, sigma_xy, backend))
        expected, expected_gradient = brute_force(image, mask, difference, sigma_rgb, sigma_xy)
        assert abs(energy / expected - 1) < 0.02
        assert relative(gradient, expected_gradient) < 0.04


@pytest.mark.parametrize("backend", BACKENDS)
def test_colour_alone_and_a_mask(backend):
    # Two frames one under the other, the second of which does not count.
    image = np.concatenate([photograph("coffee", 24), photograph("rocket", 24)])
    mask = np.repeat([1.0, 0.0], 24)[:, None] * np.ones((48, 24))
    difference = np.concatenate([smooth_map(24), smooth_map(24, 1)]) * mask
    kernel = Kernel(15.0, None, backend)
    energy, gradient = ours(image, mask, difference, kernel)
    expected, expected_gradient = brute_force(image, mask, difference, 15.0, None)
    assert abs(energy / expected - 1) < 0.015
    assert relative(gradient, expected_gradient) < 0.04
    alone, _ = ours(image[:24], mask[:24], difference[:24], kernel)
    np.testing.assert_allclose(energy, alone, rtol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_gradient_is_that_of_the_value(backend):
    rng = np.random.default_rng(2)
    with jax.enable_x64(True):
        image, mask = jnp.asarray(rng.uniform(0, 255, (7, 9, 3))), jnp.ones((7, 9))
        kernel = Kernel(60.0, 5.0, backend)
        check_grads(
            jax.jit(lambda d: pairwise_energy(image, mask, d, kernel)),
            (jnp.asarray(rng.uniform(-1, 1, (7, 9))),),
            order=1,
            modes=["rev"],
            rtol=1e-7,
            atol=1e-7,
        )


@pytest.mark.parametrize("backend", BACKENDS)
def test_vmap_and_a_loop_give_the_same(backend):
    rng = np.random.default_rng(3)
    images = jnp.asarray(rng.uniform(0, 255, (3, 8, 6, 3)), jnp.float32)
    differences = jnp.asarray(rng.uniform(-1, 1, (3, 8, 6)), jnp.float32)
    kernel = Kernel(30.0, 4.0, backend)

    def energy(image, difference):
        return pairwise_energy(image, jnp.ones((8, 6)), difference, kernel)

    both = jax.jit(jax.vmap(jax.value_and_grad(energy, argnums=1)))(images, differences)
    for i in range(3):
        one = jax.jit(jax.value_and_grad(energy, argnums=1))(images[i], differences[i])
        np.testing.assert_allclose(both[0][i], one[0], rtol=1e-5)
        np.testing.assert_allclose(both[1][i], one[1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_bfloat16_and_colours_out_of_range(backend):
    image, mask = photograph("astronaut", 16), np.ones((16, 16))
    image[:4] += 300
    image[4:6] -= 300
    difference = np.asarray(jnp.asarray(smooth_map(16), jnp.bfloat16), np.float64)
    image = np.asarray(jnp.asarray(image, jnp.bfloat16), np.float64)
    kernel = Kernel(15.0, 7.0, backend)
    energy, gradient = ours(image, mask, difference, kernel, jnp.bfloat16)
    assert energy.dtype == jnp.float32
    expected, expected_gradient = brute_force(image.clip(0, 255), mask, difference, 15.0, 7.0)
    assert abs(energy / expected - 1) < 0.015
    # The gradient comes back in the map's own bfloat16: 8 bits.
    assert relative(gradient.astype(jnp.float32), expected_gradient) < 0.03


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (Kernel(15.0, 100.0, "lattice"), "backend must be one of auto, grid,.* got 'lattice'"),
        (Kernel(15.0, 100.0, "grid", "best"), "accuracy must be one of default, fine; got 'best'"),
        (Kernel(0.0, 100.0), "sigma_rgb must be greater than 0 and finite; got 0"),
        (Kernel(15.0, -1.0), "sigma_xy must be greater than 0 and finite; got -1"),
        (Kernel(float("inf"), 9.0, "exact"), "and finite; got inf"),
        (Kernel(1.0, 9.0), "grids take a sigma_rgb of 4 to 1000 levels; got 1. .*exact"),
        (Kernel(15.0, 0.5, "grid"), 'sigma_xy=0.5 pixels is too small .* backend="exact"'),
    ],
)
def test_bad_kernels_are_refused(kernel, message):
    with pytest.raises(ValueError, match=message):
        pairwise_energy(jnp.zeros((32, 32, 3)), jnp.ones((32, 32)), jnp.zeros((32, 32)), kernel)
