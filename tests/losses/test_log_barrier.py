import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tcam_jax.losses.log_barrier import barrier_t, extended_log_barrier


@pytest.mark.parametrize(
    ("t", "f", "expected"),
    [
        (1.0, [-25088, -2, -1, 0, 1], [-10.1301, -0.6931, 0, 1, 2]),
        (2.0, [-1, -0.25, 0, 1], [0, 0.6931, 1.1931, 3.1931]),
    ],
)
def test_hand_values(t, f, expected):
    values = extended_log_barrier(jnp.asarray(f, jnp.float32), t)
    np.testing.assert_allclose(values, expected, atol=1e-4)


def test_gradient_is_the_slope_of_each_branch():
    t = 2.0
    f = jnp.array([-1e6, -3.0, -0.26, -0.25, -0.24, 0.0, 5.0, 1e6])
    gradient = jax.vmap(jax.grad(lambda f: extended_log_barrier(f, t)))(f)
    # -1 / (t f) inside, t beyond -1 / t^2, where both are equal.
    np.testing.assert_allclose(gradient, np.minimum(-1 / (t * np.minimum(f, -0.25)), t), rtol=1e-6)


def test_gradient_for_t_is_finite():
    gradient = jax.grad(lambda t: extended_log_barrier(jnp.array([-9.0, 0.0, 9.0]), t).sum())
    assert jnp.isfinite(gradient(jnp.float32(1.5)))


def test_schedule():
    schedule = {"initial": 1.0, "maximum": 10.0, "growth": 1.01}
    traced = jax.jit(lambda epoch: barrier_t(epoch, **schedule))
    expected = {0: 1.0, 1: 1.01, 99: 2.678, 100: 2.7048, 231: 9.96, 232: 10.0, 1000: 10.0}
    for epoch, t in expected.items():
        np.testing.assert_allclose(barrier_t(epoch, **schedule), t, rtol=1e-3)
        np.testing.assert_allclose(traced(jnp.int32(epoch)), t, rtol=1e-3)
