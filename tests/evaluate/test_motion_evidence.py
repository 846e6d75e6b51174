"""Motion counted into a map of logits, by hand and in float64."""

import jax.numpy as jnp
import numpy as np

from tcam_jax.evaluate.motion_evidence import with_motion_evidence


def test_what_moves_gains_and_the_rest_loses():
    z = jnp.array([[1.0, -1.0], [0.0, 2.0]])
    motion = jnp.array([[1.0, 0.0], [0.0, 0.0]])
    # log(0.1 + 0.9 m): 0 and three times -2.302585; the mean is -1.726939.
    expected = z + 2 * np.array([[1.726939, -0.575646], [-0.575646, -0.575646]])
    np.testing.assert_allclose(with_motion_evidence(z, motion), expected, atol=1e-5)


def test_the_maps_mean_stays_at_any_size():
    rng = np.random.default_rng(0)
    z = jnp.array(rng.normal(size=(16, 16)), jnp.float32)
    motion = jnp.array(rng.uniform(size=(4, 4)), jnp.float32)
    found = with_motion_evidence(z, motion)
    assert np.abs(found - z).max() > 0.5
    np.testing.assert_allclose(found.mean(), z.mean(), atol=1e-5)
    # The place of the fastest motion, in the middle of its four pixels on either side.
    fastest = np.unravel_index(np.asarray(motion).argmax(), motion.shape)
    highest = np.unravel_index(np.asarray(found - z).argmax(), z.shape)
    assert tuple(np.array(highest) // 4) == tuple(fastest)


def test_without_motion_the_map_stays():
    z = jnp.linspace(-5, 5, 64).reshape(8, 8)
    for same in (0.0, 0.4):
        np.testing.assert_allclose(with_motion_evidence(z, jnp.full((2, 2), same)), z, atol=1e-5)
