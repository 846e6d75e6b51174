from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from tcam_jax.pseudo_labels.roi import region_of_interest
from tcam_jax.pseudo_labels.sampling import SEED_RULES, sample_background, sample_foreground
from tcam_jax.pseudo_labels.seeds import UNLABELLED, seed_map
from tests.pseudo_labels.expected import background_candidates

draw_seeds = jax.jit(seed_map, static_argnames=("rule", "fg_pixels", "bg_pixels", "region"))


@pytest.mark.parametrize(("name", "dilation"), [("paper", 1), ("reference", 3), ("paper", 5)])
def test_squares_and_conflicts_equal_scipy(name, dilation):
    shape = (7, 9)
    rule = SEED_RULES[name]._replace(dilation=dilation)
    cams = np.random.default_rng(0).random((40, *shape), dtype=np.float32)
    keys = jax.random.split(jax.random.key(1), 40)

    def grow(index, valid):
        mask = np.zeros(shape, bool)
        mask.ravel()[index[valid]] = True
        return binary_dilation(mask, np.ones((dilation, dilation)))

    @jax.jit
    @jax.vmap
    def draws(key, cam):
        fg_key, bg_key = jax.random.split(key)
        roi = region_of_interest(cam)
        fg = sample_foreground(fg_key, cam, roi, fraction=rule.fg_fraction, pixels=3)
        bg = sample_background(bg_key, cam, roi, rule=rule.bg, fraction=rule.bg_fraction, pixels=2)
        return fg, bg, seed_map(key, cam, rule=rule, fg_pixels=3, bg_pixels=2)

    fg, bg, seeds = draws(keys, cams)
    assert seeds.dtype == jnp.int32
    (fg_index, fg_valid), (bg_index, bg_valid) = jax.tree.map(np.asarray, (fg, bg))
    conflicts = 0
    for i, labels in enumerate(seeds):
        is_fg = grow(fg_index[i], fg_valid[i])
        is_bg = grow(bg_index[i], bg_valid[i])
        expected = np.full(shape, UNLABELLED)
        expected[is_bg] = 0
        expected[is_fg] = 1
        expected[is_fg & is_bg] = UNLABELLED
        conflicts += (is_fg & is_bg).any()
        np.testing.assert_array_equal(labels, expected)
    assert (conflicts > 5) == (dilation > 1)


def test_only_a_truly_constant_map_has_no_labels():
    draw = partial(draw_seeds, rule=SEED_RULES["reference"], fg_pixels=2, bg_pixels=2)
    constant = jnp.full((8, 8), 0.4)
    assert (draw(jax.random.key(0), constant) == UNLABELLED).all()
    # The same 8-bit level everywhere: the region of interest is the whole image.
    assert (draw(jax.random.key(0), constant.at[2, 3].set(0.4001)) == 1).any()


def test_fcam_draws_from_the_eroded_region():
    cam = np.zeros((24, 30), np.float32)
    cam[4:20, 6:22] = np.linspace(0.6, 1, 16)
    everywhere = {"fg_pixels": cam.size, "bg_pixels": 1}
    rule = SEED_RULES["fcam"]._replace(dilation=1, bg="complement")
    labels = draw_seeds(jax.random.key(0), cam, rule=rule, **everywhere)
    expected = np.zeros(cam.shape, bool)
    expected[9:15, 11:17] = True  # 11 pixels: five are lost on each side
    np.testing.assert_array_equal(labels == 1, expected)
    small = np.where(cam > 0.85, cam, 0)  # too narrow: nothing is left to draw
    labels = np.asarray(draw_seeds(jax.random.key(0), small, rule=rule, **everywhere))
    assert not (labels == 1).any() and (labels == 0).sum() == 1


@pytest.mark.parametrize("side", ["dilation", "fg_erosion"])
def test_even_sides_are_refused(side):
    rule = SEED_RULES["paper"]._replace(**{side: 2})
    with pytest.raises(ValueError, match="odd number"):
        draw_seeds(jax.random.key(0), jnp.zeros((8, 8)), rule=rule, fg_pixels=1, bg_pixels=1)


def test_unknown_background_rule_is_refused():
    rule = SEED_RULES["paper"]._replace(bg="highest")
    with pytest.raises(ValueError, match="highest"):
        draw_seeds(jax.random.key(0), jnp.zeros((8, 8)), rule=rule, fg_pixels=1, bg_pixels=1)


def test_largest_region_leaves_the_others_to_the_background():
    cam = np.zeros((9, 12), np.float32)
    cam[1:4, 1:4] = 0.7
    cam[6:8, 7:11] = 1.0  # brighter, but smaller
    large, small = np.s_[1:4, 1:4], np.s_[6:8, 7:11]
    everywhere = {"fg_pixels": cam.size, "bg_pixels": cam.size, "rule": SEED_RULES["paper"]}

    labels = draw_seeds(jax.random.key(0), cam, **everywhere)
    np.testing.assert_array_equal(labels, cam > 0)
    labels = draw_seeds(jax.random.key(0), cam, **everywhere, region="largest")
    assert (labels[large] == 1).all() and (labels == 1).sum() == 9
    assert (labels[small] == 0).all() and (labels == 0).sum() == cam.size - 9

    # 60 % of the kept region; the background comes from the whole map, as without "largest".
    everywhere["rule"] = SEED_RULES["reference"]._replace(dilation=1)
    labels = draw_seeds(jax.random.key(0), cam, **everywhere, region="largest")
    assert (labels[large] == 1).sum() == (labels == 1).sum() == 5
    expected = background_candidates(cam, cam > 0, "lowest", 0.1)
    np.testing.assert_array_equal(np.flatnonzero(labels == 0), expected)


def test_unknown_region_is_refused():
    draw = partial(draw_seeds, rule=SEED_RULES["paper"], fg_pixels=1, bg_pixels=1)
    with pytest.raises(ValueError, match="all, largest, .*; got 'smallest'"):
        draw(jax.random.key(0), jnp.zeros((8, 8)), region="smallest")
