"""How often pixels are drawn: each by its weight, and independently between samples."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tcam_jax.pseudo_labels.sampling import SEED_RULES, sample_background, sample_foreground
from tcam_jax.pseudo_labels.seeds import seed_map
from tests.pseudo_labels.expected import (
    background_probabilities,
    example,
    foreground_probabilities,
    p_value,
    pair_counts,
    successive_pairs,
)

DRAWS = 20_000
RULES = ("reference", "paper")  # the others differ from the first in numbers, and as tried below
HALF_OF_THE_REGION = SEED_RULES["paper"]._replace(fg_fraction=0.5)


def draw(sampler, cam, roi, **parameters):
    draw_once = jax.vmap(partial(sampler, **parameters), in_axes=(0, None, None))
    index, valid = jax.jit(draw_once)(jax.random.split(jax.random.key(0), DRAWS), cam, roi)
    assert np.asarray(valid).all()
    return np.asarray(index)


@pytest.mark.parametrize("name", (*RULES, "fcam"))
def test_one_draw_follows_the_rule(name):
    cam, roi = example()
    rule = SEED_RULES[name]
    drawn = {"fraction": rule.fg_fraction, "weighted": rule.fg_weighted}
    index = draw(sample_foreground, cam, roi, **drawn, pixels=1)[:, 0]
    observed = np.bincount(index, minlength=cam.size)
    assert p_value(observed, foreground_probabilities(cam, roi, **drawn)) > 1e-3
    # The test can tell weighted draws from uniform ones.
    others = foreground_probabilities(cam, roi, rule.fg_fraction, not rule.fg_weighted)
    assert p_value(observed, others) < 1e-9

    index = draw(sample_background, cam, roi, rule=rule.bg, fraction=rule.bg_fraction, pixels=1)
    observed = np.bincount(index[:, 0], minlength=cam.size)
    expected = background_probabilities(cam, roi, rule.bg, rule.bg_fraction)
    assert p_value(observed, expected) > 1e-3


@pytest.mark.parametrize("name", RULES)
def test_two_draws_are_successive_without_replacement(name):
    cam, roi = example((6, 6))
    rule = SEED_RULES[name]

    index = draw(sample_foreground, cam, roi, fraction=rule.fg_fraction, pixels=2)
    expected = successive_pairs(foreground_probabilities(cam, roi, rule.fg_fraction))
    observed = pair_counts(*index.T, cam.size)
    assert p_value(observed, expected) > 1e-3

    index = draw(sample_background, cam, roi, rule=rule.bg, fraction=rule.bg_fraction, pixels=2)
    expected = successive_pairs(background_probabilities(cam, roi, rule.bg, rule.bg_fraction))
    assert p_value(pair_counts(*index.T, cam.size), expected) > 1e-3


def test_draws_of_very_different_weights_follow_the_enumeration():
    cam = np.array([[0.1, 0.3, 0.9], [0.5, 0.05, 0]], np.float32)
    roi = cam > 0
    index = draw(sample_foreground, cam, roi, fraction=1.0, pixels=3)
    first = foreground_probabilities(cam, roi, 1.0)
    pairs = successive_pairs(first)
    observed = pair_counts(index[:, 0], index[:, 1], cam.size)
    assert p_value(observed, pairs) > 1e-3
    # The test can tell the order of two draws, and successive draws from a table of pairs each
    # of probability p_i * p_j.
    assert p_value(observed, pairs.T) < 1e-9
    products = np.outer(first, first) * (1 - np.eye(cam.size))
    assert p_value(observed, products / products.sum()) < 1e-9

    i, j, k = np.indices((cam.size,) * 3)
    distinct = (i != j) & (i != k) & (j != k) & (pairs > 0)[:, :, None]
    rest = 1 - first[:, None] - first  # what the first two leave for the others
    triples = np.where(distinct, (pairs / np.where(pairs > 0, rest, 1))[:, :, None] * first, 0)
    observed = np.bincount(index @ [cam.size**2, cam.size, 1], minlength=triples.size)
    assert p_value(observed, triples) > 1e-3


def labelled_pixels(keys, cam, rule):
    """One foreground and one background pixel of each key, -1 for both in case of conflict."""
    draw_map = jax.vmap(partial(seed_map, cam=cam, rule=rule, fg_pixels=1, bg_pixels=1))
    labels = np.asarray(jax.jit(draw_map)(keys)).reshape(len(keys), -1)
    pixels = [
        np.where((labels == kind).any(axis=1), (labels == kind).argmax(axis=1), -1)
        for kind in (1, 0)
    ]
    np.testing.assert_array_equal(pixels[0] < 0, pixels[1] < 0)
    return pixels


def test_samples_of_a_batch_are_independent():
    cam, roi = example((5, 5))
    expected_fg = foreground_probabilities(cam, roi, HALF_OF_THE_REGION.fg_fraction)
    expected_bg = background_probabilities(
        cam, roi, HALF_OF_THE_REGION.bg, HALF_OF_THE_REGION.bg_fraction
    )
    # As the training step derives them: a key a step, folded with the sample's number.
    steps = jax.random.split(jax.random.key(1), DRAWS)
    keys = [jax.vmap(jax.random.fold_in, (0, None))(steps, sample) for sample in (0, 1)]
    pixels = labelled_pixels(jnp.concatenate(keys), jnp.asarray(cam), HALF_OF_THE_REGION)
    samples = np.split(np.stack(pixels), 2, axis=1)
    for first, first_expected in zip(samples[0], (expected_fg, expected_bg), strict=True):
        for second, second_expected in zip(samples[1], (expected_fg, expected_bg), strict=True):
            table = pair_counts(first, second, cam.size)
            assert p_value(table, np.outer(first_expected, second_expected)) > 1e-3
    # The test can tell a key that two samples share.
    table = pair_counts(samples[0][0], samples[0][0], cam.size)
    assert p_value(table, np.outer(expected_fg, expected_fg)) < 1e-9


def test_foreground_and_background_of_a_sample_are_independent():
    # All pixels are candidates of both: draws that share their noise would agree too often.
    rule = SEED_RULES["paper"]._replace(bg="lowest")
    cam = np.linspace(0.5, 1, 6, dtype=np.float32).reshape(2, 3)
    cam = 0.4 + 1e-4 * cam  # one 8-bit level, so that the region of interest is the whole map
    keys = jax.random.split(jax.random.key(3), DRAWS)
    foreground, background = labelled_pixels(keys, jnp.asarray(cam), rule)
    everything = np.ones_like(cam, bool)
    expected = np.outer(
        foreground_probabilities(cam, everything, 1.0),
        background_probabilities(cam, everything, "lowest", 1.0),
    )
    conflict = foreground < 0
    observed = pair_counts(foreground[~conflict], background[~conflict], cam.size)
    observed = np.append(observed, conflict.sum())
    expected = np.append(expected * (1 - np.eye(cam.size)), np.trace(expected))
    assert p_value(observed, expected) > 1e-3


@pytest.mark.parametrize(("name", "region"), [("reference", "all"), ("paper", "largest")])
def test_a_key_and_a_map_decide_the_labels(name, region):
    draw_map = partial(seed_map, rule=SEED_RULES[name], fg_pixels=3, bg_pixels=4, region=region)
    cams = np.random.default_rng(0).random((12, 9, 8), dtype=np.float32)
    keys = jax.random.split(jax.random.key(4), 12)
    together, one_by_one = jax.jit(jax.vmap(draw_map)), jax.jit(draw_map)
    labels = together(keys, cams)
    np.testing.assert_array_equal(
        labels, [one_by_one(key, cam) for key, cam in zip(keys, cams, strict=True)]
    )
    backwards = together(keys[::-1], cams[::-1])  # a sample's place in the batch does not matter
    np.testing.assert_array_equal(labels, backwards[::-1])
    others = together(jax.random.split(jax.random.key(5), 12), cams)
    assert (np.asarray(labels) != others).any(axis=(1, 2)).all()
