import jax.numpy as jnp
import numpy as np

from tcam_jax.pseudo_labels.temporal import pool


def test_the_maximum_ignores_absent_frames():
    cams = jnp.asarray(np.random.default_rng(0).uniform(size=(4, 3, 3)), jnp.float32)
    valid = jnp.array([False, True, False, True])
    expected = np.maximum(cams[1], cams[3])
    np.testing.assert_array_equal(pool(cams, valid), expected)
    np.testing.assert_array_equal(pool(cams[1:2], valid[1:2]), cams[1])
