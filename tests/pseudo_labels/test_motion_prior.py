import jax.numpy as jnp
import numpy as np
import pytest

from tcam_jax.pseudo_labels.motion_prior import with_motion

CAM = jnp.array([[0.0, 0.25], [0.64, 0.8]])


def test_both_have_their_share():
    motion = jnp.array([[1.0, 1.0], [0.25, 0.0]])
    fused = np.asarray(with_motion(CAM, motion, 0.25))
    weighed = np.array([[0, 0.25**0.75], [0.64**0.75 * 0.325**0.25, 0.8**0.75 * 0.1**0.25]])
    np.testing.assert_allclose(fused, weighed * 0.8 / weighed.max(), rtol=1e-6)


@pytest.mark.parametrize("everywhere", [0.0, 0.3, 1.0])
def test_where_all_moves_alike_or_nothing_does_the_order_stays(everywhere):
    fused = np.asarray(with_motion(CAM, jnp.full((2, 2), everywhere), 0.5))
    np.testing.assert_allclose(fused, np.sqrt(np.asarray(CAM) * 0.8), rtol=1e-6)


def test_a_map_that_says_nothing_stays_so():
    fused = with_motion(jnp.zeros((2, 2)), jnp.array([[0.0, 1.0], [0.5, 0.2]]), 0.5)
    np.testing.assert_array_equal(fused, 0)
