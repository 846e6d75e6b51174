from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from jax.test_util import check_grads
from torch.nn.functional import interpolate

from tcam_jax.losses.crf import crf, crf_energy, crf_settings_at
from tcam_jax.losses.inputs import LossInputs

SIGMAS = {"sigma_rgb": 15.0, "sigma_xy": 100.0}


def example(shape, batch=2, dtype=jnp.float32):
    rng = np.random.default_rng(0)
    images = (
        120 + rng.normal(0, 15, (batch, *shape, 3)) + 60 * (rng.random((batch, *shape, 1)) > 0.5)
    )
    return LossInputs(
        map_logits=jnp.asarray(rng.normal(0, 2, (batch, *shape, 2)), dtype),
        images=jnp.asarray(np.clip(images, 0, 255), dtype),
        seeds=jnp.full((batch, *shape), -255),
        barrier_t=jnp.asarray(1.0, dtype),
    )


def brute_force(image, probabilities, sigma_rgb, sigma_xy):
    """Return the energy and its gradient for the probabilities, in NumPy float64."""
    height, width, classes = probabilities.shape
    y, x = np.mgrid[:height, :width]
    place = np.stack([x, y], axis=-1) / sigma_xy
    colour = np.asarray(image, np.float64) / sigma_rgb
    features = np.concatenate([place, colour], axis=-1).reshape(-1, 5)
    distances = sum(np.subtract.outer(f, f) ** 2 for f in features.T)
    s = np.asarray(probabilities, np.float64).reshape(-1, classes)
    filtered = np.exp(-distances / 2) @ s
    return -(s * filtered).sum(), -2 * filtered.reshape(probabilities.shape)


def energy_and_gradient(image, probabilities):
    def energy(probabilities):
        return crf_energy(image, probabilities, **SIGMAS)

    return jax.jit(jax.value_and_grad(energy))(probabilities)


@pytest.mark.parametrize("classes", [1, 2, 3])
def test_equals_brute_force_in_float64(classes):
    with jax.enable_x64(True):
        image = example((9, 7), dtype=jnp.float64).images[0]
        probabilities = jnp.asarray(np.random.default_rng(1).random((9, 7, classes)))
        energy, gradient = energy_and_gradient(image, probabilities)
        assert energy.dtype == gradient.dtype == jnp.float64
        expected = brute_force(image, probabilities, **SIGMAS)
        np.testing.assert_allclose(energy, expected[0], rtol=1e-12)
        np.testing.assert_allclose(gradient, expected[1], rtol=1e-12)


# 3021 pixels need several row blocks and leave a smaller one at the end.
@pytest.mark.parametrize("shape", [(1, 1), (5, 8), (57, 53)])
def test_equals_brute_force_in_float32(shape):
    inputs = example(shape)
    image, probabilities = inputs.images[0], jax.nn.softmax(inputs.map_logits)[0]
    energy, gradient = energy_and_gradient(image, probabilities)
    expected = brute_force(image, probabilities, **SIGMAS)
    np.testing.assert_allclose(energy, expected[0], rtol=1e-5)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-5)


def test_gradient_for_the_logits_equals_finite_differences():
    with jax.enable_x64(True):
        inputs = example((4, 5), dtype=jnp.float64)

        @jax.jit
        def value(logits):
            total, count = crf(inputs._replace(map_logits=logits), **SIGMAS)
            return total / count

        check_grads(value, (inputs.map_logits,), order=1, modes=["rev"], rtol=1e-6, atol=1e-6)


def test_batch_value_is_the_mean_energy_and_images_get_no_gradient():
    inputs = example((6, 5), batch=3)

    def value(images):
        total, count = crf(inputs._replace(images=images), kernel_scale=0.594, **SIGMAS)
        return total / count

    mean, gradient = jax.jit(jax.value_and_grad(value))(inputs.images)
    energies = [
        brute_force(image, probabilities, **SIGMAS)[0]
        for image, probabilities in zip(
            inputs.images, jax.nn.softmax(inputs.map_logits), strict=True
        )
    ]
    np.testing.assert_allclose(mean, 0.594 * np.mean(energies), rtol=1e-5)
    assert not gradient.any()


def test_flat_image_counts_every_pair():
    # With equal colours and a wide kernel every entry of A is almost 1.
    probabilities = jnp.full((8, 8, 2), 0.5)
    energy = crf_energy(jnp.full((8, 8, 3), 255.0), probabilities, sigma_rgb=15.0, sigma_xy=1e6)
    np.testing.assert_allclose(energy, -2 * (0.5 * 64) ** 2, rtol=1e-6)


@pytest.mark.parametrize(("shape", "scale"), [((12, 8), 0.5), ((12, 8), 0.25), ((9, 7), 0.5)])
def test_scale_resizes_as_torch(shape, scale):
    inputs = example(shape)
    small = tuple(int(size * scale) for size in shape)

    def resized(values, **options):
        values = torch.tensor(np.asarray(values)).permute(0, 3, 1, 2)
        return interpolate(values, size=small, **options).permute(0, 2, 3, 1).numpy()

    images = resized(inputs.images, mode="nearest")
    probabilities = resized(jax.nn.softmax(inputs.map_logits), mode="bilinear", align_corners=False)
    total, _ = jax.jit(partial(crf, scale=scale, **SIGMAS))(inputs)
    expected = sum(
        brute_force(image, s, 15.0, 100.0 * scale)[0]
        for image, s in zip(images, probabilities, strict=True)
    )
    np.testing.assert_allclose(total, expected, rtol=1e-5)


def test_scale_reaches_the_logits():
    inputs = example((8, 8))

    @jax.jit
    @jax.grad
    def gradient_of(logits):
        return crf(inputs._replace(map_logits=logits), scale=0.5, **SIGMAS)[0]

    gradient = gradient_of(inputs.map_logits)
    assert jnp.isfinite(gradient).all() and (gradient != 0).all()


def test_bfloat16_logits_are_filtered_in_float32():
    inputs = example((6, 5))
    inputs = inputs._replace(map_logits=inputs.map_logits.astype(jnp.bfloat16))
    upcast = inputs._replace(map_logits=inputs.map_logits.astype(jnp.float32))
    total, count = crf(inputs, **SIGMAS)
    assert total.dtype == count.dtype == jnp.float32
    assert float(total) == float(crf(upcast, **SIGMAS)[0])


def test_memory_does_not_grow_with_the_pairs():
    def temporary_bytes(size):
        inputs = jax.eval_shape(lambda: example((size, size)))
        gradient = jax.grad(
            lambda logits, inputs: crf(inputs._replace(map_logits=logits), **SIGMAS)[0]
        )
        compiled = jax.jit(gradient).lower(inputs.map_logits, inputs).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    # The whole kernel of 224 x 224 pixels would take 10 GB.
    assert temporary_bytes(224) < 64e6


@pytest.mark.parametrize("scale", [0.0, 1.5, 0.01])
def test_bad_scale_is_refused(scale):
    with pytest.raises(ValueError, match="scale"):
        crf(example((8, 8)), scale=scale, **SIGMAS)


def test_settings_keep_their_meaning_at_another_size():
    settings = {"weight": 2e-9, "sigma_rgb": 15.0, "sigma_xy": 100.0, "scale": 0.5}
    at_half = crf_settings_at(settings, 112)
    assert at_half == settings | {"weight": 2e-9 * 2**4 * 2**4, "sigma_xy": 50.0}
    # A picture enlarged by whole pixels, and its map, have the same weighted energy.
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (12, 12, 3)).astype(np.float32)
    energies = []
    for repeat in (1, 3):
        large = image.repeat(repeat, 0).repeat(repeat, 1)
        foreground = (large[..., :1] > 100).astype(np.float32)
        one = crf_settings_at(settings | {"scale": 1.0}, 12 * repeat)
        energy = crf_energy(
            jnp.asarray(large), jnp.asarray(foreground), sigma_rgb=15.0, sigma_xy=one["sigma_xy"]
        )
        energies.append(one["weight"] * float(energy))
    np.testing.assert_allclose(energies[0], energies[1], rtol=0.02)
