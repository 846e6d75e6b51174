from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.filters import threshold_otsu

from tcam_jax.pseudo_labels.otsu import otsu_threshold
from tcam_jax.pseudo_labels.roi import region_of_interest

KINDS = ("noise", "smooth", "bimodal", "levels", "peaked", "faint")
threshold_of = jax.jit(otsu_threshold)
thresholds_of = jax.jit(jax.vmap(otsu_threshold))
region_of = jax.jit(region_of_interest)


def random_map(rng, kind, shape):
    noise = rng.random(shape)
    if kind == "smooth":
        noise = gaussian_filter(noise, max(1, shape[0] / 8))
        noise = (noise - noise.min()) / np.ptp(noise)
    elif kind == "bimodal":
        low, high = rng.normal(0.25, 0.08, shape), rng.normal(0.7, 0.1, shape)
        noise = np.where(noise < rng.random(), low, high)
    elif kind == "levels":
        noise = rng.choice(rng.random(rng.integers(2, 6)), shape)
    elif kind == "peaked":
        noise = noise ** rng.integers(2, 9)
    elif kind == "faint":
        noise = 0.3 * rng.random() * noise
    return np.clip(noise, 0, 1).astype(np.float32)


def random_maps(seed, shape, number):
    rng = np.random.default_rng(seed)
    return np.stack([random_map(rng, KINDS[i % len(KINDS)], shape) for i in range(number)])


def levels_of(cam):
    return np.floor(255 * cam).astype(np.float64)


@pytest.mark.parametrize(
    ("shape", "number"),
    [((7, 9), 150), ((16, 16), 90), ((33, 20), 90), ((96, 96), 60), ((224, 224), 36)],
)
def test_threshold_equals_scikit_image(shape, number):
    maps = random_maps(shape[0], shape, number)
    expected = [threshold_otsu(levels_of(cam)) for cam in maps]
    np.testing.assert_array_equal(thresholds_of(maps), expected)


def test_largest_map_does_not_overflow():
    cam = random_map(np.random.default_rng(0), "bimodal", (512, 512))
    assert float(threshold_of(cam)) == threshold_otsu(levels_of(cam))
    halves = np.zeros((512, 512), np.float32)
    halves[:256] = 1  # the greatest variance there can be
    assert float(threshold_of(halves)) == threshold_otsu(levels_of(halves))


def test_ties_go_to_the_first_bin():
    # Symmetric histograms have exact ties, which rounding would decide at random.
    rng = np.random.default_rng(1)
    half = rng.integers(0, 128, (60, 5, 4))
    maps = ((np.concatenate([half, 255 - half], axis=1) + 0.5) / 255.5).astype(np.float32)
    ties = 0
    for cam, threshold in zip(maps, thresholds_of(maps), strict=True):
        counts, edges = np.histogram(levels_of(cam), 256)
        counts = [int(count) for count in counts]
        total, moment = sum(counts), sum(i * count for i, count in enumerate(counts))
        variances, w, m = [], 0, 0
        for i, count in enumerate(counts[:-1]):
            w, m = w + count, m + i * count
            variances.append(Fraction((total * m - w * moment) ** 2, w * (total - w)))
        occupied = [v for v, count in zip(variances, counts, strict=False) if count]
        ties += occupied.count(max(variances)) > 1
        best = variances.index(max(variances))
        assert float(threshold) == (edges[best] + edges[best + 1]) / 2
    assert ties > 10


def test_constant_levels_give_zero_and_the_whole_image():
    cam = np.full((5, 6), 0.4, np.float32)
    cam[2, 3] = 0.4001  # the same level: 102
    assert float(threshold_of(cam)) == 0
    assert np.asarray(region_of(cam)).all()


def test_region_compares_the_unrounded_map():
    for cam in random_maps(2, (33, 20), 24):
        expected = np.float32(255) * cam >= threshold_otsu(levels_of(cam))
        np.testing.assert_array_equal(region_of(cam), expected)
    # Levels 0 and 1: the threshold is the centre of the first of 256 bins, 1/512, so that a pixel
    # of level 0 may belong to the region.
    cam = np.array([[0, 0.5, 1.2]], np.float32) / 255
    np.testing.assert_array_equal(region_of(cam), [[False, True, True]])


def test_too_large_map_is_refused():
    with pytest.raises(ValueError, match="resize the map first"):
        otsu_threshold(jnp.zeros((513, 512)))
