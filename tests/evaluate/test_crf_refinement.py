"""Mean-field refinement against all pairs of pixels, by the formula."""

import jax.numpy as jnp
import numpy as np

from tcam_jax.evaluate.crf_refinement import ROUNDS, SIGMA_RGB, SIGMA_XY, WEIGHT, refine

SIZE = 24


def scene():
    """A square of another colour, and a map that is surest of what lies down right of it."""
    rng = np.random.default_rng(0)
    image = np.full((SIZE, SIZE, 3), (60.0, 120.0, 70.0))
    square = np.zeros((SIZE, SIZE), bool)
    square[6:16, 8:18] = True
    image[square] = (170.0, 60.0, 90.0)
    image += rng.normal(0, 4, image.shape)
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    z = 4 * np.exp(-((y - 13) ** 2 + (x - 15) ** 2) / 50) - 2
    return z.astype(np.float32), image.clip(0, 255).astype(np.float32), square


def by_all_pairs(z, image):
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    sigma_xy = SIGMA_XY * SIZE / 224
    features = np.concatenate(
        [np.stack([y, x], -1) / sigma_xy, image / SIGMA_RGB], -1, dtype=np.float64
    ).reshape(-1, 5)
    distance = ((features[:, None] - features[None]) ** 2).sum(-1)
    kernel = np.exp(-distance / 2)
    kernel /= kernel.sum(1, keepdims=True)
    foreground = 1 / (1 + np.exp(-z.ravel().astype(np.float64)))
    for _ in range(ROUNDS):  # message passing of both labels, then the compatibility of Potts
        refined = z.ravel() + WEIGHT * (kernel @ foreground - kernel @ (1 - foreground))
        foreground = 1 / (1 + np.exp(-refined))
    return refined.reshape(z.shape)


def test_equal_to_all_pairs():
    z, image, _ = scene()
    expected = by_all_pairs(z, image)
    assert np.abs(expected - z).max() > 0.9 * WEIGHT  # it does a lot
    np.testing.assert_allclose(refine(jnp.asarray(z), jnp.asarray(image)), expected, atol=0.2)


def test_the_region_ends_where_the_colour_does():
    z, image, square = scene()
    assert ((z > 0) != square).mean() > 0.05
    refined = np.asarray(refine(jnp.asarray(z), jnp.asarray(image)))
    assert ((refined > 0) == square).all()
