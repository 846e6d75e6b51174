"""Thresholds without true boxes, on maps whose right level is known."""

import cv2
import numpy as np
import pytest
from skimage.filters import threshold_multiotsu

from tcam_jax.evaluate.boxes import largest_box
from tcam_jax.evaluate.level_boxes import level_boxes
from tcam_jax.evaluate.logit_map import level_of_logit, logits_of, to_scale
from tcam_jax.evaluate.threshold_rules import THRESHOLD_RULES, Evidence

SIZE = 64
SLOPE = -0.5  # of z along a row, a pixel


def _levels(z):
    return np.clip(255 * to_scale(z), 0, 255).astype(np.uint8)


def _evidence(z, cam=None, image=None):
    levels = _levels(z)
    cam = np.zeros((SIZE, SIZE), np.uint8) if cam is None else cam
    image = np.zeros((SIZE, SIZE, 3), np.uint8) if image is None else image
    return Evidence(levels, level_boxes(levels).largest_boxes(), cam, largest_box(cam, None), image)


@pytest.fixture
def ramp():
    """z falls from 16 in the first column: every threshold is a column."""
    return np.tile(16 + SLOPE * np.arange(SIZE), (SIZE, 1))


def _columns(seen, rule):
    """How many columns the rule takes."""
    mask = seen.levels > THRESHOLD_RULES[rule](seen)
    assert (mask == mask[0]).all()
    return int(mask[0].sum())


def test_rules_of_the_map_alone(ramp):
    seen = _evidence(ramp)
    for rule in ("otsu", "middle", "robust_middle"):  # a uniform distribution: its middle
        assert abs(_columns(seen, rule) - SIZE / 2) <= 2, rule
    thirds = threshold_multiotsu(ramp, 3)[1]
    assert abs(_columns(seen, "multi_otsu") - (16 - thirds) / -SLOPE) <= 2
    assert abs(_columns(seen, "multi_otsu") - SIZE / 3) <= 2
    ramp[0, 0] = 200.0  # one pixel moves the middle, not the robust one
    seen = _evidence(ramp)
    level = level_of_logit((logits_of(seen.levels).max() + ramp.min()) / 2)
    assert abs(THRESHOLD_RULES["middle"](seen) - level) <= 1
    robust = (seen.levels > THRESHOLD_RULES["robust_middle"](seen))[1]
    assert abs(int(robust.sum()) - SIZE / 2) <= 2


def test_rules_of_the_cam(ramp):
    cam = np.zeros((SIZE, SIZE), np.uint8)
    cam[:, :20] = 200
    seen = _evidence(ramp, cam)
    assert abs(_columns(seen, "cam_area") - 20) <= 1
    # The box's far corner is the pixel after the region.
    assert abs(_columns(seen, "cam_agreement") - 20) <= 1


@pytest.mark.parametrize("rule", ["edges", "colour"])
def test_rules_of_the_image(ramp, rule):
    image = np.full((SIZE, SIZE, 3), 40, np.uint8)
    image[:, :24] = (200, 180, 90)
    assert abs(_columns(_evidence(ramp, image=image), rule) - 24) <= 3


def _contrast(mask, image):
    smooth = cv2.GaussianBlur(image, (0, 0), 1.0).astype(float)
    across, down = (np.abs(np.diff(smooth, axis=axis)).sum(-1) for axis in (1, 0))
    outline = np.diff(mask, axis=1), np.diff(mask, axis=0)
    return (across[outline[0]].sum() + down[outline[1]].sum()) / sum(o.sum() for o in outline)


def _unity(mask, image):
    inside, outside = image[mask].astype(float), image[~mask].astype(float)
    return -sum(len(side) * side.var(0).sum() for side in (inside, outside)) / mask.size


@pytest.mark.parametrize("rule, merit", [("edges", _contrast), ("colour", _unity)])
def test_rules_of_the_image_take_the_best_mask(rule, merit):
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(0, 256, (6, 6, 3), np.uint8), (SIZE, SIZE))
    seen = _evidence(cv2.resize(rng.normal(0, 6, (8, 8)), (SIZE, SIZE)), image=image)
    masks = {level: seen.levels > level for level in range(0, 255, 4)}
    tried = {level: mask for level, mask in masks.items() if 0.02 < mask.mean() < 0.7}
    assert len(tried) > 10
    best = max(tried, key=lambda level: merit(tried[level], image))
    assert THRESHOLD_RULES[rule](seen) == best


def test_a_stable_region_is_found():
    """A plateau with steep sides, on a ramp elsewhere."""
    z = np.tile(np.linspace(-12, -4, SIZE), (SIZE, 1))
    z[16:40, 16:40] = 9.0
    seen = _evidence(z)
    assert -4 < logits_of(np.uint8([THRESHOLD_RULES["stability"](seen)]))[0] < 9


@pytest.mark.parametrize("rule", list(THRESHOLD_RULES))
@pytest.mark.parametrize("value", [-30.0, 0.0, 30.0])
def test_constant_maps_have_a_level_too(rule, value):
    level = THRESHOLD_RULES[rule](_evidence(np.full((SIZE, SIZE), value)))
    assert isinstance(level, int) and 0 <= level <= 254
