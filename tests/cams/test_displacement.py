"""How far a network displaces things, on networks of which that is known."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from tcam_jax.cams.displacement import Displacement, correlation, displacement, undo

SIZE = 48


def frames(number):
    """Blobs of random size, shape and place on noise."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    made = []
    for _ in range(number):
        centre, width = rng.uniform(8, SIZE - 8, 2), rng.uniform(3, 9, 2)
        blob = np.exp(-(((y - centre[0]) / width[0]) ** 2 + ((x - centre[1]) / width[1]) ** 2))
        made.append(blob + 0.1 * rng.standard_normal((SIZE, SIZE)))
    return np.array(made, np.float32)


def shown(frames, down, right):
    return np.array([ndimage.shift(f, (down, right), order=1, mode="nearest") for f in frames])


@pytest.mark.parametrize("by", [(0, 0), (3, 0), (0, -2), (-2.5, 4), (5, 5.5)])
def test_a_known_displacement_is_found_and_undone(by):
    seen = frames(40)
    maps = shown(seen, *by)
    turned_back = shown(seen[:, ::-1, ::-1], *by)[:, ::-1, ::-1]
    found = displacement(np.asarray(correlation(maps, turned_back)))
    np.testing.assert_allclose(np.array(found) * SIZE, by, atol=0.51)

    inside = slice(8, -8)
    back = np.asarray(undo(jnp.asarray(maps[0]), jnp.array(by) / SIZE))
    away = np.abs(maps[0] - seen[0])[inside, inside].mean()
    assert np.abs(back - seen[0])[inside, inside].mean() <= 0.6 * away


def test_correlation_against_every_shift_by_hand():
    rng = np.random.default_rng(1)
    maps, other = rng.random((2, 3, 6, 7)).astype(np.float32)
    maps[1] = 0.5  # says nothing
    expected = np.zeros((6, 7))
    for one, two in zip(maps, other, strict=True):
        one, two = one - one.mean(), two - two.mean()
        for y, x in np.ndindex(6, 7):
            product = (one * np.roll(two, (y, x), (0, 1))).sum()
            expected[y, x] += product / max(np.linalg.norm(one) * np.linalg.norm(two), 1e-6)
    np.testing.assert_allclose(correlation(maps, other), expected, atol=1e-5)


def test_undo_against_scipy_with_its_border():
    cam = frames(1)[0]
    expected = ndimage.shift(cam, (-0.1 * SIZE, 0.05 * SIZE), order=1, mode="nearest")
    np.testing.assert_allclose(undo(jnp.asarray(cam), jnp.array([0.1, -0.05])), expected, atol=1e-5)


def test_a_peak_beyond_what_an_encoder_can_do_is_not_taken():
    correlated = np.zeros((SIZE, SIZE))
    correlated[SIZE // 2, SIZE // 2] = 2.0  # half a frame away: chance
    correlated[-6, 4] = 1.0
    assert displacement(correlated) == Displacement(-3 / SIZE, 2 / SIZE)
