from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from tcam_jax.pseudo_labels.roi import region_of_interest
from tcam_jax.pseudo_labels.sampling import sample_background, sample_foreground
from tests.pseudo_labels.expected import (
    background_candidates,
    example,
    foreground_candidates,
)

foreground_of = jax.jit(sample_foreground, static_argnames=("fraction", "pixels"))
background_of = jax.jit(sample_background, static_argnames=("rule", "fraction", "pixels"))


@pytest.mark.parametrize("levels", [2, 5, 1000])
def test_candidates_are_cut_by_stable_order(levels):
    rng = np.random.default_rng(levels)
    draw_all = {"pixels": 63}
    for seed in range(20):
        cam = (rng.integers(0, levels, (7, 9)) / levels).astype(np.float32)
        cam[rng.random((7, 9)) < 0.2] = -0.0
        roi = rng.random((7, 9)) < 0.5
        key = jax.random.key(seed)
        fraction = (0.1, 0.6)[seed % 2]

        index, valid = foreground_of(key, cam, roi, fraction=fraction, **draw_all)
        expected = foreground_candidates(cam, roi, fraction)
        np.testing.assert_array_equal(np.sort(index[valid]), expected)

        index, valid = background_of(key, cam, roi, rule="lowest", fraction=fraction, **draw_all)
        expected = background_candidates(cam, roi, "lowest", fraction)
        np.testing.assert_array_equal(np.sort(index[valid]), expected)


def test_number_of_candidates_is_a_float32_product():
    cam = np.linspace(0.1, 1, 100, dtype=np.float32).reshape(10, 10)
    counts = np.arange(101)
    rois = (np.arange(100) < counts[:, None]).reshape(-1, 10, 10)
    for fraction in (0.3, 0.6, 0.7, 0.9):
        sampler = partial(sample_foreground, fraction=fraction, pixels=100)
        _, valid = jax.jit(jax.vmap(sampler, in_axes=(None, None, 0)))(jax.random.key(0), cam, rois)
        expected = (fraction * torch.tensor(counts, dtype=torch.float32)).int()
        np.testing.assert_array_equal(valid.sum(axis=1), expected)


def test_region_of_one_pixel_gives_background_only():
    cam = np.zeros((6, 6), np.float32)
    cam[2, 3] = 1
    roi = region_of_interest(jnp.asarray(cam))
    assert int(roi.sum()) == 1
    _, valid = foreground_of(jax.random.key(0), cam, roi, fraction=0.6, pixels=1)
    assert not valid.any()
    for rule in ("lowest", "complement"):
        _, valid = background_of(jax.random.key(0), cam, roi, rule=rule, fraction=0.1, pixels=1)
        assert valid.all()


def test_constant_map_gives_no_draws():
    cam = jnp.full((6, 6), 0.5)
    roi = jnp.zeros((6, 6), bool).at[:3].set(True)
    _, fg_valid = foreground_of(jax.random.key(0), cam, roi, fraction=1.0, pixels=4)
    _, bg_valid = background_of(
        jax.random.key(0), cam, roi, rule="complement", fraction=1.0, pixels=4
    )
    assert not fg_valid.any() and not bg_valid.any()


def assert_distinct_candidates(draws, candidates):
    """All that there are, if there are fewer than draws, and the valid draws come first."""
    index, valid = map(np.asarray, draws)
    number = min(index.size, candidates.size)
    np.testing.assert_array_equal(valid, np.arange(index.size) < number)
    assert np.unique(index[valid]).size == number
    assert np.isin(index[valid], candidates).all()


@pytest.mark.parametrize("pixels", [2, 30])
def test_draws_beyond_the_candidates_are_invalid(pixels):
    cam, _ = example((5, 6))
    rng = np.random.default_rng(pixels)
    for roi_pixels in (0, 1, 2, 3, 15, 28, 29, 30):
        for seed in range(4):
            roi = (rng.permutation(30) < roi_pixels).reshape(5, 6)
            key = jax.random.key(seed)
            for fraction in (0.6, 1.0):
                assert_distinct_candidates(
                    foreground_of(key, cam, roi, fraction=fraction, pixels=pixels),
                    foreground_candidates(cam, roi, fraction),
                )
            for rule, fraction in (("lowest", 0.1), ("complement", 1.0)):
                assert_distinct_candidates(
                    background_of(key, cam, roi, rule=rule, fraction=fraction, pixels=pixels),
                    background_candidates(cam, roi, rule, fraction),
                )


def test_a_thousand_draws_are_distinct_candidates():
    y, x = np.mgrid[:224, :224]
    cam = np.exp(-((y - 90) ** 2 + (x - 120) ** 2) / 3000).astype(np.float32)
    roi = np.asarray(region_of_interest(jnp.asarray(cam)))
    assert roi.sum() > 2000
    key, pixels = jax.random.key(0), 1000
    assert_distinct_candidates(
        foreground_of(key, cam, roi, fraction=0.6, pixels=pixels),
        foreground_candidates(cam, roi, 0.6),
    )
    for rule in ("lowest", "complement"):
        assert_distinct_candidates(
            background_of(key, cam, roi, rule=rule, fraction=0.1, pixels=pixels),
            background_candidates(cam, roi, rule, 0.1),
        )


def test_bad_parameters_are_refused():
    cam, roi = example()
    key = jax.random.key(0)
    for fraction in (0.0, -0.1, 1.5):
        with pytest.raises(ValueError, match=r"in \(0, 1\]"):
            foreground_of(key, cam, roi, fraction=fraction, pixels=1)
    for pixels in (0, 65):
        with pytest.raises(ValueError, match="1 to 64"):
            foreground_of(key, cam, roi, fraction=0.5, pixels=pixels)
