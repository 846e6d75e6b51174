import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tcam_jax.pseudo_labels.temporal import moved_along, pool


def test_the_maximum_ignores_absent_frames():
    cams = jnp.asarray(np.random.default_rng(0).uniform(size=(4, 3, 3)), jnp.float32)
    valid = jnp.array([False, True, False, True])
    expected = np.maximum(cams[1], cams[3])
    np.testing.assert_array_equal(pool(cams, valid), expected)
    np.testing.assert_array_equal(pool(cams[1:2], valid[1:2]), cams[1])


@pytest.mark.parametrize("how", ["max", "mean", "softmax"])
def test_pooling_counts_what_frames_show(how):
    rng = np.random.default_rng(1)
    maps, valid = rng.random((4, 5, 6)), rng.random((4, 5, 6)) < 0.6
    valid[2] = True
    pooled = np.asarray(pool(jnp.asarray(maps, jnp.float32), jnp.asarray(valid), how))
    for place in np.ndindex(5, 6):
        shown = maps[:, *place][valid[:, *place]]
        weights = {
            "max": shown == shown.max(),
            "mean": np.ones(len(shown)),
            "softmax": np.exp(8 * shown),
        }[how]
        np.testing.assert_allclose(pooled[place], np.average(shown, weights=weights), rtol=1e-5)


def test_an_unknown_pooling_is_refused():
    with pytest.raises(ValueError, match="must be one of max, mean, softmax; got 'median'"):
        pool(jnp.zeros((1, 2, 2)), jnp.ones(1, bool), "median")


def test_a_neighbour_without_motion_is_only_enlarged():
    cam = jnp.asarray(np.random.default_rng(2).random((4, 5)), jnp.float32)
    moved, there = moved_along(cam, jnp.zeros((16, 16, 2)))
    expected = jax.image.resize(cam, (16, 16), "linear", antialias=False)
    np.testing.assert_allclose(moved, expected, atol=1e-6)
    assert there.all()


def test_a_neighbour_of_a_translated_scene_is_moved_back():
    cam = np.random.default_rng(3).random((8, 8)).astype(np.float32)
    # What lies at (y, x) of the target lies 2 places lower and 1 to the left in the neighbour.
    neighbour = np.roll(cam, (2, -1), (0, 1))
    flow = jnp.broadcast_to(jnp.array([2, -1]) / 8, (8, 8, 2))
    moved, there = moved_along(jnp.asarray(neighbour), flow)
    shown = np.zeros((8, 8), bool)
    shown[:6, 1:] = True
    np.testing.assert_array_equal(there, shown)
    np.testing.assert_allclose(np.where(shown, moved, 0), np.where(shown, cam, 0), atol=1e-6)
