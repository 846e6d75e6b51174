import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.measure import label, regionprops

from tcam_jax.pseudo_labels.regions import largest_region, region_box

largest_of = jax.jit(largest_region)
largest_of_each = jax.jit(jax.vmap(largest_region))
box_of_each = jax.jit(jax.vmap(region_box))


def random_masks(shape, number):
    """Noise of densities 0 to 1, and smooth regions."""
    rng = np.random.default_rng(shape[0])
    noise = rng.random((number, *shape))
    noise[1::2] = gaussian_filter(noise[1::2], (0, 1.5, 1.5))
    rank = noise.reshape(number, -1).argsort(axis=1).argsort(axis=1).reshape(noise.shape)
    return rank < np.linspace(0, 1, number)[:, None, None] * rank[0].size


def largest_by_scikit_image(mask):
    """Also returns whether several regions are the largest."""
    labels = label(mask, connectivity=1)
    sizes = np.bincount(labels[mask], minlength=2)
    first = next((i for i in labels[mask] if sizes[i] == sizes.max()), -1)
    return labels == first, (sizes == sizes.max()).sum() > 1


def snake(shape):
    """Every other row, joined at the right and the left end by turns."""
    mask = np.zeros(shape, bool)
    mask[::2] = True
    mask[1:-1:4, -1] = mask[3:-1:4, 0] = True
    return mask


def spiral(side):
    """A one-pixel line from the corner to the centre."""
    mask = np.zeros((side, side), bool)
    y, x, dy, dx, steps = 0, 0, 0, 1, side - 1
    mask[0, 0] = True
    for turn in range(side):
        for _ in range(steps):
            y, x = y + dy, x + dx
            mask[y, x] = True
        dy, dx = dx, -dy
        if turn >= 2 and turn % 2 == 0:
            steps -= 2
    return mask


@pytest.mark.parametrize("shape", [(1, 1), (1, 12), (13, 1), (7, 9), (16, 16), (33, 20), (64, 48)])
def test_largest_region_equals_scikit_image(shape):
    masks = random_masks(shape, 80)
    ties = 0
    for mask, result in zip(masks, largest_of_each(masks), strict=True):
        expected, tie = largest_by_scikit_image(mask)
        ties += tie
        np.testing.assert_array_equal(result, expected)
    assert ties or masks[0].size == 1


@pytest.mark.parametrize("side", [15, 224])
def test_long_thin_and_regular_regions(side):
    y, x = np.indices((side, side))
    from_centre = np.maximum(abs(y - side // 2), abs(x - side // 2))
    masks = {
        "empty": np.zeros((side, side), bool),
        "full": np.ones((side, side), bool),
        "checkerboard": (y + x) % 2 == 0,
        "diagonal": y == x,
        "other diagonal": y + x == side - 1,
        "two lines": (x == 0) & (y > 0) | (x == 2),
        "squares around squares": from_centre % 2 == 0,
        "isolated pixels": (y % 2 == 0) & (x % 2 == 0),
        "snake": snake((side, side)),
        "spiral": spiral(side),
    }
    assert label(masks["spiral"], connectivity=1).max() == 1
    for name, mask in masks.items():
        for turns in range(4):
            turned = np.rot90(mask, turns).copy()
            expected, _ = largest_by_scikit_image(turned)
            np.testing.assert_array_equal(largest_of(turned), expected, err_msg=name)


def test_what_touches_at_a_corner_alone_is_another_region():
    mask = np.zeros((6, 6), bool)
    mask[:2, :2] = mask[2:5, 2:5] = True
    found = np.asarray(largest_of(mask))
    assert found.sum() == 9 and found[2:5, 2:5].all()  # 13 pixels, 8-connected


def test_equal_regions_are_decided_by_raster_order():
    # Raster order, not the leftmost region or the one whose last pixel comes first.
    mask = jnp.zeros((4, 6), bool).at[:2, 4].set(True).at[1:3, 0].set(True)
    expected = jnp.zeros((4, 6), bool).at[:2, 4].set(True)
    np.testing.assert_array_equal(largest_of(mask), expected)


def test_batched_equals_one_by_one():
    # Masks of a batch converge after different numbers of rounds.
    masks = np.stack([snake((24, 24)), spiral(24), *random_masks((24, 24), 10)])
    one_by_one = [largest_of(mask) for mask in masks]
    np.testing.assert_array_equal(largest_of_each(masks), one_by_one)


@pytest.mark.parametrize("shape", [(1, 1), (1, 12), (7, 9)])
def test_box_equals_scikit_image(shape):
    masks = random_masks(shape, 60) & (np.random.default_rng(0).random((60, *shape)) < 0.2)
    assert not masks[0].any()
    for mask, box in zip(masks, box_of_each(masks), strict=True):
        expected = np.zeros(shape, bool)
        for region in regionprops(mask.astype(int)):  # none for an empty mask
            top, left, bottom, right = region.bbox
            expected[top:bottom, left:right] = True
        np.testing.assert_array_equal(box, expected)
