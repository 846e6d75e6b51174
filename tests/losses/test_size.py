import jax
import jax.numpy as jnp
import numpy as np

from tcam_jax.losses.inputs import LossInputs
from tcam_jax.losses.size import size


def inputs_of(logits, t=1.0):
    b, h, w, _ = logits.shape
    return LossInputs(
        map_logits=logits,
        images=jnp.zeros((b, h, w, 3)),
        seeds=jnp.full((b, h, w), -255),
        barrier_t=jnp.float32(t),
    )


def test_equal_halves_have_the_published_value():
    total, count = size(inputs_of(jnp.zeros((2, 224, 224, 2))))
    np.testing.assert_allclose([total / count, count], [-10.130, 2], rtol=1e-4)


def test_value_and_slope_equal_the_formula():
    logits = jnp.asarray(np.random.default_rng(0).normal(0, 2, (3, 5, 4, 2)), jnp.float32)
    probabilities = np.asarray(jax.nn.softmax(logits), np.float64)
    t, areas = 1.7, probabilities.sum(axis=(1, 2))
    total, count = jax.jit(size)(inputs_of(logits, t))
    np.testing.assert_allclose(total, (-np.log(areas) / t).sum() / 2, rtol=1e-5)
    assert float(count) == 3

    gradient = jax.jit(jax.grad(lambda logits: size(inputs_of(logits, t))[0]))(logits)
    slope = (-1 / (2 * t * areas))[:, None, None]  # of the sum, for each probability
    inner = (slope * probabilities).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(gradient, probabilities * (slope - inner), rtol=1e-4, atol=1e-8)


def test_empty_foreground_is_pushed_up_and_finite():
    logits = jnp.zeros((1, 6, 6, 2)).at[..., 0].set(12.0)
    differentiate = jax.jit(jax.value_and_grad(lambda logits: size(inputs_of(logits))[0]))
    total, gradient = differentiate(logits)
    assert jnp.isfinite(total)
    assert (gradient[..., 1] < 0).all()
    # Probabilities of exactly 0 have no slope, but must not give NaN either.
    _, gradient = differentiate(logits * 100)
    assert jnp.isfinite(gradient).all()
