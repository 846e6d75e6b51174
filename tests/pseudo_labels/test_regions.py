import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.measure import label, regionprops

from tcam_jax.pseudo_labels.regions import (
    DENSE_AREA,
    densest_region,
    eroded,
    largest_region,
    region_box,
)
from tcam_jax.pseudo_labels.roi import BOXES, SEED_REGIONS, object_box

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


def bounding_box(mask):
    filled = np.zeros(mask.shape, bool)
    for region in regionprops(mask.astype(int)):  # none for an empty mask
        top, left, bottom, right = region.bbox
        filled[top:bottom, left:right] = True
    return filled


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
        np.testing.assert_array_equal(box, bounding_box(mask))


def test_densest_region_equals_a_loop_over_scikit_images_labels():
    rng, found_dense = np.random.default_rng(1), 0
    for mask in random_masks((16, 20), 60):
        cam = gaussian_filter(rng.random(mask.shape), 2).astype(np.float32)
        labels = label(mask, connectivity=1)
        means = [cam[labels == i].mean(dtype=np.float64) for i in range(1, labels.max() + 1)]
        expected, _ = largest_by_scikit_image(mask)
        if means:
            dense = labels == 1 + int(np.argmax(means))
            if dense.sum() >= DENSE_AREA * mask.size:
                found_dense += (dense != expected).any()
                expected = dense
        np.testing.assert_array_equal(jax.jit(densest_region)(mask, cam), expected)
    assert found_dense > 1


@pytest.mark.parametrize(("kernel", "times"), [(3, 1), (11, 1), (5, 2)])
def test_erosion_equals_opencvs(kernel, times):
    shrink = jax.jit(jax.vmap(lambda mask: eroded(mask, 1 + times * (kernel - 1))))
    masks = ~random_masks((24, 31), 30)
    masks[0, 5, 5] = False
    some = 0
    for mask, result in zip(masks, shrink(masks), strict=True):
        expected = cv2.erode(  # OpenCV's border does not erode either
            mask.astype(np.uint8), np.ones((kernel, kernel), np.uint8), iterations=times
        )
        some += expected.any() and (expected != mask).any()
        np.testing.assert_array_equal(result, expected > 0)
    assert some


def opencv_reference_box(mask):
    """The box as the authors take it from OpenCV's rectangle, and as they fill it."""
    height, width = mask.shape
    (contour,), _ = cv2.findContours(
        mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    x, y, w, h = cv2.boundingRect(contour)
    filled = np.zeros(mask.shape, bool)
    filled[y : min(y + h, height - 1), x : min(x + w, width - 1)] = True
    return filled


def test_boxes_of_seed_regions():
    names = ("all", "largest", "largest_box")

    @jax.jit
    @jax.vmap
    def drawn(above):
        regions = {name: SEED_REGIONS[name](above, above.astype(float)) for name in names}
        return regions, {
            (name, box): object_box(regions[name], region=name, box=box)
            for name in names
            for box in BOXES
        }

    masks, cut = random_masks((9, 12), 60)[1:], 0
    regions, boxes = jax.tree.map(np.asarray, drawn(masks))
    for i, above in enumerate(masks):
        largest, _ = largest_by_scikit_image(above)
        np.testing.assert_array_equal(regions["all"][i], above)
        np.testing.assert_array_equal(regions["largest"][i], largest)
        tight, reference = bounding_box(largest), opencv_reference_box(largest)
        np.testing.assert_array_equal(boxes["all", "tight"][i], bounding_box(above))
        np.testing.assert_array_equal(boxes["largest", "tight"][i], tight)
        np.testing.assert_array_equal(boxes["largest", "reference"][i], reference)
        np.testing.assert_array_equal(regions["largest_box"][i], reference)
        for box in BOXES:
            np.testing.assert_array_equal(boxes["largest_box", box][i], reference)
        whole = boxes["all", "reference"][i]
        assert whole[:-1, :-1].all() and not whole[-1].any() and not whole[:, -1].any()
        cut += (reference != tight).any()
    assert 0 < cut < len(masks)
    with pytest.raises(ValueError, match="one of tight, reference; got 'loose'"):
        object_box(jnp.zeros((9, 12), bool), box="loose")
