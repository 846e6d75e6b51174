from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from jax.test_util import check_grads
from torch.nn.functional import interpolate

from tcam_jax.losses.crf import crf, crf_settings_at
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


def test_equals_the_definition_in_float64():
    # Both classes by the definition; ours sends their difference through the kernel.
    with jax.enable_x64(True):
        inputs = example((9, 7), dtype=jnp.float64)

        @jax.jit
        def value(logits):
            return crf(inputs._replace(map_logits=logits), backend="exact", **SIGMAS)[0]

        total, gradient = jax.value_and_grad(value)(inputs.map_logits)
        assert total.dtype == gradient.dtype == jnp.float64
        expected = 0
        for i, image in enumerate(inputs.images):
            s = np.asarray(jax.nn.softmax(inputs.map_logits[i]))
            energy, slope = brute_force(image, s, **SIGMAS)
            expected += energy
            inner = (slope * s).sum(axis=-1, keepdims=True)
            np.testing.assert_allclose(gradient[i], s * (slope - inner), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(total, expected, rtol=1e-12)


# 3021 pixels need several row blocks and leave a smaller one at the end.
@pytest.mark.parametrize("shape", [(1, 1), (5, 8), (57, 53)])
@pytest.mark.parametrize("backend", ["exact", "grid", "grid_matmul"])
def test_value_equals_the_definition_in_float32(shape, backend):
    inputs = example(shape, batch=1)
    total, count = jax.jit(partial(crf, backend=backend, **SIGMAS))(inputs)
    expected, _ = brute_force(inputs.images[0], jax.nn.softmax(inputs.map_logits)[0], **SIGMAS)
    np.testing.assert_allclose(total, expected, rtol=1e-5 if backend == "exact" else 0.07)
    assert float(count) == 1


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
        loss = partial(crf, kernel_scale=0.594, backend="exact", **SIGMAS)
        total, count = loss(inputs._replace(images=images))
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


@pytest.mark.parametrize(("shape", "scale"), [((12, 8), 0.5), ((12, 8), 0.25), ((9, 7), 0.5)])
def test_scale_resizes_as_torch(shape, scale):
    inputs = example(shape)
    small = tuple(int(size * scale) for size in shape)

    def resized(values, **options):
        values = torch.tensor(np.asarray(values)).permute(0, 3, 1, 2)
        return interpolate(values, size=small, **options).permute(0, 2, 3, 1).numpy()

    images = resized(inputs.images, mode="nearest")
    probabilities = resized(jax.nn.softmax(inputs.map_logits), mode="bilinear", align_corners=False)
    total, _ = jax.jit(partial(crf, scale=scale, backend="exact", **SIGMAS))(inputs)
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


# The whole kernel of 224 x 224 pixels would take 10 GB.
@pytest.mark.parametrize("backend", ["exact", "grid", "grid_matmul"])
def test_memory_does_not_grow_with_the_pairs(backend):
    inputs = jax.eval_shape(lambda: example((224, 224)))
    gradient = jax.grad(
        lambda logits, inputs: crf(
            inputs._replace(map_logits=logits), sigma_rgb=15.0, sigma_xy=100.0, backend=backend
        )[0]
    )
    compiled = jax.jit(gradient).lower(inputs.map_logits, inputs).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 64e6


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
        logits = np.where(large[..., :1] > 100, [-9.0, 9.0], [9.0, -9.0])
        inputs = example(large.shape[:2], batch=1)._replace(
            images=jnp.asarray(large)[None], map_logits=jnp.asarray(logits, jnp.float32)[None]
        )
        at_size = crf_settings_at(settings | {"scale": 1.0}, 12 * repeat)
        weight = at_size.pop("weight")
        energies.append(weight * float(crf(inputs, backend="exact", **at_size)[0]))
    np.testing.assert_allclose(energies[0], energies[1], rtol=0.02)


def test_settings_of_other_weights_at_another_size():
    converted = crf_settings_at({"weight": 0.0, "final_weight": 2e-9, "sigma_rgb": 15.0}, 112)
    assert converted == {"weight": 0.0, "final_weight": 2e-9 * 2**4, "sigma_rgb": 15.0}
    adaptive = {"weight": 4.0, "final_weight": None, "adaptive": True, "sigma_rgb": 15.0}
    assert crf_settings_at(adaptive, 112) == adaptive
