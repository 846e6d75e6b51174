"""Oracles: OpenCV, used the way the reference does; the labels of SciPy and scikit-image."""

from functools import cache

import cv2
import numpy as np
import pytest
from scipy import ndimage
from skimage import measure

from tcam_jax.evaluate.boxes import box_of_mask, boxes_of_mask, largest_box, level_of
from tcam_jax.evaluate.level_boxes import level_boxes

TAUS = np.arange(0, 1, 0.001)


def levels_of(heat_map):
    return (255 * heat_map).astype(np.uint8)


def opencv_box(mask):
    contours, _ = cv2.findContours(
        mask.astype(np.uint8) * 255, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE
    )
    if not contours:
        return [0, 0, 0, 0]
    x, y, width, height = cv2.boundingRect(max(contours, key=cv2.contourArea))
    return [x, y, min(x + width, mask.shape[1] - 1), min(y + height, mask.shape[0] - 1)]


def outer_contour_area(region):
    """Area of the polygon through the outermost pixel centres of one region, found without it.

    A square of four neighbouring centres lies wholly inside the polygon if all four pixels are set,
    half inside if three are, and outside otherwise.
    """
    filled = ndimage.binary_fill_holes(np.pad(region, 1)).astype(int)
    corners = filled[1:, 1:] + filled[1:, :-1] + filled[:-1, 1:] + filled[:-1, :-1]
    return np.count_nonzero(corners == 4) + np.count_nonzero(corners == 3) / 2


def labelled_boxes(mask):
    """Boxes of all regions by SciPy's labels, which come in reading order of first pixels."""
    labels, _ = ndimage.label(mask, np.ones((3, 3), bool))
    ranked = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
        area = outer_contour_area(labels[rows, columns] == number)
        right, bottom = min(columns.stop, mask.shape[1] - 1), min(rows.stop, mask.shape[0] - 1)
        ranked.append((area, number, [columns.start, rows.start, right, bottom]))
    return [box for _, _, box in sorted(ranked, reverse=True)]


def boxes_with_holes(mask):
    """Boxes of all regions and of their holes, each hole's from the pixels around it; no order."""
    height, width = mask.shape
    regions = measure.regionprops(measure.label(mask, connectivity=2))
    outside = np.pad(~mask, 1, constant_values=True)
    around = measure.label(outside, connectivity=1)
    holes = [each for each in measure.regionprops(around) if each.label != around[0, 0]]
    boxes = [(x0, y0, x1, y1) for y0, x0, y1, x1 in (region.bbox for region in regions)]
    # Less one for the pad, and one more pixel on each side.
    boxes += [(x0 - 2, y0 - 2, x1, y1) for y0, x0, y1, x1 in (hole.bbox for hole in holes)]
    return sorted((x0, y0, min(x1, width - 1), min(y1, height - 1)) for x0, y0, x1, y1 in boxes)


def picture(*rows):
    return np.array([[pixel == "#" for pixel in row] for row in rows])


def noise(rng, shape):
    return rng.random(shape) < rng.choice([0.01, 0.05, 0.2, 0.35, 0.5, 0.65, 0.9])


def smooth_blobs(rng, shape):
    return ndimage.gaussian_filter(rng.normal(size=shape), rng.uniform(0.6, 4)) > 0


def blobs_with_holes(rng, shape):
    values = ndimage.gaussian_filter(rng.normal(size=shape), rng.uniform(0.8, 3))
    return (np.abs(values) < rng.uniform(0.5, 1.5) * values.std()) & (rng.random(shape) < 0.97)


def nested_rings(rng, shape):
    y, x = np.mgrid[: shape[0], : shape[1]]
    centre_y, centre_x = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
    # Powers 1 and 2 give diamonds and circles, whose thin rings enclose as much as their outlines.
    power = rng.choice([1, 2])
    distance = np.abs(y - centre_y) ** power + np.abs(x - centre_x) ** power
    return (distance ** (1 / power) / rng.uniform(0.6, 3)).astype(int) % 2 == 0


def lines(rng, shape):
    mask = np.zeros(shape, np.uint8)
    for _ in range(rng.integers(1, 7)):
        (x0, x1), (y0, y1) = rng.integers(0, shape[1], 2), rng.integers(0, shape[0], 2)
        cv2.line(mask, (int(x0), int(y0)), (int(x1), int(y1)), 1, 1)
    return mask.astype(bool)


def rectangles(rng, shape):
    mask = np.zeros(shape, bool)
    for _ in range(rng.integers(1, 6)):
        y, x = rng.integers(0, shape[0]), rng.integers(0, shape[1])
        mask[y : y + rng.integers(1, 8), x : x + rng.integers(1, 8)] ^= True
    return mask


KINDS = [noise, smooth_blobs, blobs_with_holes, nested_rings, lines, rectangles]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_box_is_opencvs_on_random_masks(kind):
    rng = np.random.default_rng(0)
    areas_tie = 0
    for _ in range(1000):
        mask = kind(rng, tuple(rng.integers(1, 40, 2)))
        contours, _ = cv2.findContours(
            mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
        )
        areas = sorted(map(cv2.contourArea, contours))
        areas_tie += len(areas) > 1 and areas[-1] == areas[-2]
        assert box_of_mask(mask).tolist() == opencv_box(mask), f"\n{mask.astype(int)}"
        assert boxes_of_mask(mask).tolist() == labelled_boxes(mask), f"\n{mask.astype(int)}"
    # The rule for ties must have been asked for, or the comparison says nothing about it.
    assert areas_tie > (20 if kind in (noise, lines, rectangles) else 0)


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (np.zeros((5, 7), bool), [0, 0, 0, 0]),
        (np.ones((5, 7), bool), [0, 0, 6, 4]),
        (picture("....", ".#..", "...."), [1, 1, 2, 2]),
        # Of two equal regions, the later in reading order.
        (picture("##..", "##..", "..##", "..##"), [0, 0, 3, 3]),
        (picture("##...", "##...", ".....", "...##", "...##"), [3, 3, 4, 4]),
        (picture("...##", "...##", ".....", "##...", "##..."), [0, 3, 2, 4]),
        (picture("#....", "....#", "....."), [4, 1, 4, 2]),
        # Fewer pixels but the larger outline wins: a ring against a solid square.
        (
            picture("#####....", "#...#.###", "#...#.###", "#...#.###", "#####...."),
            [0, 0, 5, 4],
        ),
        # A long line has more pixels than a small triangle, and no area.
        (picture("########", "........", "..#.....", ".##....."), [1, 2, 3, 3]),
        # A thin diamond encloses as much as its own hole: the outer contour, tail included, counts.
        (picture(".#....", "#.####", ".#....", "......"), [0, 0, 5, 3]),
    ],
)
def test_box_of_hand_made_masks(mask, expected):
    assert box_of_mask(mask).tolist() == expected == opencv_box(mask)


@pytest.mark.parametrize("kind", [noise, smooth_blobs, blobs_with_holes, nested_rings, lines])
def test_boxes_of_all_regions_are_scikit_images(kind):
    rng = np.random.default_rng(3)
    for _ in range(20):
        shape = tuple(rng.integers(1, 40, 2))
        mask = kind(rng, shape)
        found = boxes_of_mask(mask)
        regions = measure.regionprops(measure.label(mask, connectivity=2))
        expected = [
            (x0, y0, min(x1, shape[1] - 1), min(y1, shape[0] - 1))
            for y0, x0, y1, x1 in (region.bbox for region in regions)
        ]
        assert sorted(map(tuple, found.tolist())) == sorted(expected)
        if len(found):
            np.testing.assert_array_equal(found[0], box_of_mask(mask))


def maps(kind, rng, shape):
    """Quantised maps of the sorts that networks and CAMs produce."""
    if kind == "smooth":
        values = ndimage.gaussian_filter(rng.normal(size=shape), rng.uniform(2, 8))
    elif kind == "noise":
        values = rng.random(shape)
    elif kind == "plateaus":
        values = np.round(ndimage.gaussian_filter(rng.normal(size=shape), 2) * 20)
    elif kind == "upsampled":
        values = ndimage.zoom(rng.random((5, 6)), 6, order=1)
    else:
        values = np.full(shape, rng.choice([0.0, 0.4, 1.0]))
        return levels_of(values)
    values = (values - values.min()) / np.ptp(values)
    # Softmax maps need not reach 0 or 1.
    low, high = sorted(rng.random(2)) if rng.random() < 0.5 else (0, 1)
    return levels_of(low + (high - low) * values)


@pytest.mark.parametrize("kind", ["smooth", "noise", "plateaus", "upsampled", "constant"])
def test_table_of_levels_is_opencvs_loop_over_thresholds(kind):
    """500 maps in all; a threshold that makes the same picture as another is looked at once."""
    rng = np.random.default_rng(1)
    for _ in range(100):
        levels = maps(kind, rng, tuple(rng.integers(1, 40, 2)))
        table = level_boxes(levels).largest_boxes()
        assert table.dtype == np.int32

        @cache
        def looked_at(threshold, levels=levels):
            _, binary = cv2.threshold(levels, threshold, 255, cv2.THRESH_BINARY)
            return opencv_box(binary > 0)

        expected = [looked_at(int(tau * levels.max())) for tau in TAUS]
        assert table[level_of(TAUS, int(levels.max()))].tolist() == expected


def test_table_holds_every_level_even_those_no_threshold_reaches():
    levels = maps("smooth", np.random.default_rng(2), (30, 21))
    expected = [opencv_box(levels > level) for level in range(256)]
    assert level_boxes(levels).largest_boxes().tolist() == expected


def test_box_at_full_size_is_opencvs():
    rng = np.random.default_rng(3)
    for sigma in (3, 12, 30):
        values = ndimage.gaussian_filter(rng.normal(size=(224, 224)), sigma)
        levels = levels_of((values - values.min()) / np.ptp(values))
        expected = [opencv_box(levels > level) for level in range(256)]
        assert level_boxes(levels).largest_boxes().tolist() == expected


def test_levels_are_the_references_integer_products():
    for peak in range(256):
        expected = [int(tau * np.uint8(peak)) for tau in TAUS]
        assert level_of(TAUS, peak).tolist() == expected


def test_prediction_takes_the_threshold_relative_to_the_maps_own_maximum():
    heat_map = np.zeros((20, 30))
    heat_map[4:9, 5:12] = 0.3
    heat_map[6, 7] = 0.5
    assert largest_box(levels_of(heat_map), 0.5).tolist() == [5, 4, 12, 9]
    assert largest_box(levels_of(heat_map), 0.7).tolist() == [7, 6, 8, 7]
    assert largest_box(np.zeros((20, 30), np.uint8), 0.5).tolist() == [0, 0, 0, 0]


def test_without_a_threshold_otsu_separates_the_two_levels_exactly():
    for low, high in [(10, 22), (1, 2), (100, 255), (0, 3)]:
        levels = np.full((20, 30), low, np.uint8)
        levels[4:9, 5:12] = high
        assert largest_box(levels, None).tolist() == [5, 4, 12, 9]
    assert largest_box(np.full((20, 30), 7, np.uint8), None).tolist() == [0, 0, 29, 19]


@pytest.mark.parametrize("kind", ["smooth", "noise", "plateaus", "upsampled", "constant"])
def test_boxes_of_every_level_are_scikit_images_labels_and_their_holes(kind):
    rng = np.random.default_rng(4)
    holes = 0
    for _ in range(6):
        levels = maps(kind, rng, tuple(rng.integers(2, 24, 2)))
        found = level_boxes(levels)
        largest = found.largest_boxes().tolist()
        rightmost = found.best(found.boxes[:, 2].astype(float), missing=-1.0)
        for level in range(256):
            mask = levels > level
            here = found.boxes[found.start[level] : found.stop[level]]
            expected = boxes_with_holes(mask)
            assert sorted(map(tuple, here.tolist())) == expected
            assert rightmost[level] == max((box[2] for box in expected), default=-1)
            regions = labelled_boxes(mask)
            assert largest[level] == (regions[0] if regions else [0, 0, 0, 0])
            holes += len(expected) - len(regions)
    assert holes > 0 or kind in ("smooth", "constant")


def test_a_ring_has_two_boxes_by_hand():
    ring = picture(
        ".......",
        ".#####.",
        ".#...#.",
        ".#...#.",
        ".#####.",
        ".......",
    )
    found = level_boxes(ring.astype(np.uint8) * 200)
    assert found.stop.tolist() == [2] * 200 + [0] * 56
    # The hole is 3 x 2; the pixels around it are those of the ring.
    assert found.boxes.tolist() == [[1, 1, 6, 5], [1, 1, 6, 5]]
    # Thicker to the left and below: now the pixels around the hole are fewer than the region's.
    thick = picture(
        "........",
        ".######.",
        ".###..#.",
        ".######.",
        ".######.",
        "........",
    )
    found = level_boxes(thick.astype(np.uint8) * 200)
    assert found.boxes.tolist() == [[1, 1, 7, 5], [3, 1, 7, 4]]
    assert found.largest_boxes()[0].tolist() == [1, 1, 7, 5]
    # A prediction has a box for each region, and none for holes.
    assert boxes_of_mask(thick).tolist() == [[1, 1, 7, 5]]
