from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from tcam_jax.pseudo_labels.roi import region_of_interest
from tcam_jax.pseudo_labels.sampling import SEED_RULES, sample_background, sample_foreground

DRAWS = 20_000
foreground_of = jax.jit(sample_foreground, static_argnames=("fraction", "pixels"))
background_of = jax.jit(sample_background, static_argnames=("rule", "fraction", "pixels"))


def example(shape=(8, 8), seed=3):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    bump = np.exp(-((y - 3) ** 2 + (x - 4) ** 2) / 8)
    cam = np.clip(0.8 * bump + 0.2 * rng.random(shape), 0, 1).astype(np.float32)
    return cam, np.asarray(region_of_interest(jnp.asarray(cam)))


def draw(sampler, cam, roi, **parameters):
    draw_once = jax.vmap(partial(sampler, **parameters), in_axes=(0, None, None))
    index, valid = jax.jit(draw_once)(jax.random.split(jax.random.key(0), DRAWS), cam, roi)
    assert np.asarray(valid).all()
    return np.asarray(index)


def foreground_weights(cam, roi, fraction):
    activation = (cam * roi).ravel().astype(np.float64) + 1e-8
    kept = torch.sort(torch.tensor(activation), descending=True, stable=True).indices
    weights = np.zeros(cam.size)
    kept = kept[: int(fraction * roi.sum())].numpy()
    weights[kept] = activation[kept]
    return weights / weights.sum()


def background_weights(cam, roi, rule, fraction):
    weights = ~roi.ravel() * 1.0
    if rule == "lowest":
        weights = np.zeros(cam.size)
        weights[np.argsort(cam.ravel(), kind="stable")[: int(fraction * cam.size)]] = 1
    return weights / weights.sum()


def successive_pairs(weights):
    """Probabilities of ordered pairs drawn without replacement: p_i * p_j / (1 - p_i)."""
    pairs = weights[:, None] * weights / (1 - weights[:, None])
    return pairs - np.diag(np.diag(pairs))


def p_value(observed, expected):
    possible = expected > 0
    assert observed[~possible].sum() == 0
    return chisquare(observed[possible], DRAWS * expected[possible]).pvalue


@pytest.mark.parametrize("name", SEED_RULES)
def test_one_draw_follows_the_rule(name):
    cam, roi = example()
    rule = SEED_RULES[name]
    index = draw(sample_foreground, cam, roi, fraction=rule.fg_fraction, pixels=1)[:, 0]
    observed = np.bincount(index, minlength=cam.size)
    expected = foreground_weights(cam, roi, rule.fg_fraction)
    assert p_value(observed, expected) > 1e-3
    # The test can tell weighted draws from uniform ones.
    assert p_value(observed, (expected > 0) / (expected > 0).sum()) < 1e-9

    index = draw(sample_background, cam, roi, rule=rule.bg, fraction=rule.bg_fraction, pixels=1)
    observed = np.bincount(index[:, 0], minlength=cam.size)
    expected = background_weights(cam, roi, rule.bg, rule.bg_fraction)
    assert p_value(observed, expected) > 1e-3


@pytest.mark.parametrize("name", SEED_RULES)
def test_two_draws_are_successive_without_replacement(name):
    cam, roi = example((6, 6))
    rule = SEED_RULES[name]

    def observed(index):
        return np.bincount(index[:, 0] * cam.size + index[:, 1], minlength=cam.size**2)

    index = draw(sample_foreground, cam, roi, fraction=rule.fg_fraction, pixels=2)
    expected = successive_pairs(foreground_weights(cam, roi, rule.fg_fraction)).ravel()
    assert p_value(observed(index), expected) > 1e-3

    index = draw(sample_background, cam, roi, rule=rule.bg, fraction=rule.bg_fraction, pixels=2)
    expected = successive_pairs(background_weights(cam, roi, rule.bg, rule.bg_fraction)).ravel()
    assert p_value(observed(index), expected) > 1e-3


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
        expected = np.flatnonzero(foreground_weights(cam, roi, fraction))
        np.testing.assert_array_equal(np.sort(index[valid]), expected)

        index, valid = background_of(key, cam, roi, rule="lowest", fraction=fraction, **draw_all)
        expected = np.flatnonzero(background_weights(cam, roi, "lowest", fraction))
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


def test_draws_beyond_the_candidates_are_invalid():
    cam, roi = example((6, 6))
    index, valid = background_of(jax.random.key(0), cam, roi, rule="lowest", fraction=0.1, pixels=5)
    np.testing.assert_array_equal(valid, [True, True, True, False, False])
    assert len(set(np.asarray(index[:3]).tolist())) == 3


def test_bad_parameters_are_refused():
    cam, roi = example()
    key = jax.random.key(0)
    for fraction in (0.0, -0.1, 1.5):
        with pytest.raises(ValueError, match=r"in \(0, 1\]"):
            foreground_of(key, cam, roi, fraction=fraction, pixels=1)
    for pixels in (0, 65):
        with pytest.raises(ValueError, match="1 to 64"):
            foreground_of(key, cam, roi, fraction=0.5, pixels=pixels)
