"""The scale of TCAM's map: its inverse, what 8 bits keep of it, and Otsu's threshold on it."""

import numpy as np
import pytest
from scipy.special import expit
from skimage.filters import threshold_multiotsu, threshold_otsu

from tcam_jax.evaluate.boxes import largest_box, threshold_level
from tcam_jax.evaluate.logit_map import (
    from_scale,
    level_of_logit,
    logits_of,
    multi_otsu_level_of_logits,
    otsu_level_of_logits,
    to_scale,
)


def _quantised(z):
    return np.clip(255 * to_scale(z), 0, 255).astype(np.uint8)


def test_the_scale_by_hand_and_its_inverse():
    np.testing.assert_allclose(to_scale(np.array([-8.0, 0.0, 8.0, 24.0])), [0.25, 0.5, 0.75, 0.875])
    z = np.linspace(-200, 200, 999)
    values = to_scale(z)
    assert (np.diff(values) > 0).all() and values[0] > 0 and values[-1] < 1
    np.testing.assert_allclose(from_scale(values), z, rtol=1e-9, atol=1e-9)


def test_it_tells_sure_from_surer_where_probabilities_are_all_one():
    z = np.array([12.0, 16.0, 24.0, 40.0])
    assert len(set((255 * expit(z)).astype(np.uint8))) <= 2
    assert (np.diff(_quantised(z).astype(int)) >= 6).all()


def test_a_level_holds_its_logits():
    z = np.random.default_rng(0).normal(0, 10, 5000)
    levels = _quantised(z)
    # Within half a level: d value / dz is 4 / (|z| + 8)^2.
    half = 0.5 / 255 * (np.abs(z) + 9) ** 2 / 4
    assert (np.abs(logits_of(levels) - z) <= half * 1.1).all()
    for t in (-20.0, -1.0, 0.0, 0.7, 13.0):
        sure = np.abs(z - t) > (np.abs(t) + 9) ** 2 / 4 / 255
        np.testing.assert_array_equal((levels > level_of_logit(t))[sure], (z > t)[sure])


def test_multi_otsu_is_that_of_the_logits():
    rng = np.random.default_rng(2)
    z = rng.choice([-9.0, 1.0, 8.0], (64, 64)) + rng.normal(0, 1, (64, 64))
    upper = threshold_multiotsu(z, 3)[1]
    level = threshold_level(_quantised(z), None, of_logits=True)
    assert level == multi_otsu_level_of_logits(_quantised(z))
    assert abs(level - level_of_logit(upper)) <= 2
    assert 1.0 < upper < 8.0


def test_two_values_have_otsus_threshold():
    z = np.where(np.arange(100).reshape(10, 10) < 30, 5.0, -5.0)
    levels = _quantised(z)
    np.testing.assert_array_equal(levels > multi_otsu_level_of_logits(levels), z > 0)


def test_otsu_is_that_of_the_logits():
    rng = np.random.default_rng(1)
    z = np.where(
        rng.random((64, 64)) < 0.2, rng.normal(15, 4, (64, 64)), rng.normal(-5, 2, (64, 64))
    )
    level = otsu_level_of_logits(_quantised(z))
    assert abs(level - level_of_logit(threshold_otsu(z))) <= 2
    assert abs(level - threshold_otsu(_quantised(z))) > 4  # what it would be on the scale


@pytest.mark.parametrize("peak", [3.0, 30.0])
def test_tau_is_a_place_on_the_scale_whatever_the_maximum(peak):
    z = np.full((20, 30), -6.0)
    z[5:15, 4:20] = 2.0
    z[5:9, 4:10] = peak
    levels = _quantised(z)
    assert largest_box(levels, 0.5, of_logits=True).tolist() == [4, 5, 20, 15]
    assert threshold_level(levels, 0.5, of_logits=True) == 127
    assert largest_box(np.full((20, 30), 7, np.uint8), None, of_logits=True).tolist() == [
        0,
        0,
        29,
        19,
    ]
