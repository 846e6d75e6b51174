import numpy as np
import pytest

from tcam_jax.evaluate.corloc import (
    TAUS_TEST,
    TAUS_VALIDATION,
    Localisation,
    centre_box,
    hits,
    iou,
    overlaps_by_level,
    scale_boxes,
    whole_frame,
)
from tcam_jax.evaluate.level_boxes import LevelBoxes, level_boxes


def test_iou_by_hand():
    boxes = np.array([[0, 0, 9, 9], [5, 5, 14, 14], [10, 0, 19, 9], [0, 0, 0, 0]])
    truth = np.array([[0, 0, 9, 9], [5, 0, 14, 9]])
    expected = [[1, 50 / 150], [25 / 175, 50 / 150], [0, 50 / 150], [1 / 100, 0]]
    np.testing.assert_allclose(iou(boxes, truth), expected, rtol=1e-15)
    assert iou(boxes[None], truth).shape == (1, 4, 2)


def test_iou_is_the_count_of_common_pixels():
    rng = np.random.default_rng(0)

    def pixels(box):
        mask = np.zeros((16, 16), bool)
        mask[box[1] : box[3] + 1, box[0] : box[2] + 1] = True
        return mask

    corners = np.sort(rng.integers(0, 16, (30, 2, 2)), axis=1).reshape(30, 4)
    boxes, truth = corners[:20], corners[20:]
    for box, row in zip(boxes, iou(boxes, truth), strict=True):
        for true_box, value in zip(truth, row, strict=True):
            a, b = pixels(box), pixels(true_box)
            assert value == pytest.approx((a & b).sum() / (a | b).sum(), abs=1e-15)


def test_true_boxes_are_truncated_into_the_square():
    boxes = np.array([[10, 20, 449, 359], [1.5, 3.2, 451, 360]])
    expected = [[int(x * 224 / side) for x, side in zip(b, [450, 360] * 2, strict=True)]
                for b in boxes]  # fmt: skip
    assert scale_boxes(boxes, 450, 360, 224).tolist() == expected
    # 449 * 224 / 450 = 223.502: rounding would leave the image, truncation does not.
    assert expected[0] == [4, 12, 223, 223]


def test_threshold_grids_are_nested():
    assert len(TAUS_VALIDATION) == 250 and len(TAUS_TEST) == 1000
    assert (TAUS_TEST[::4] == TAUS_VALIDATION).all()


def two_squares():
    """A map of two objects: a weak large one and a strong small one inside its corner."""
    heat_map = np.zeros((32, 32))
    heat_map[2:22, 2:22] = 0.4
    heat_map[3:8, 3:8] = 0.8
    return (255 * heat_map).astype(np.uint8)


def hits_of(boxes, peak, truth, taus, whose="largest", iou_threshold=0.5):
    overlaps = overlaps_by_level(boxes, np.array(truth))[whose]
    return hits(overlaps[None], np.array([peak]), taus, iou_threshold)[0]


def test_a_frame_is_hit_where_the_box_fits_any_true_box():
    levels = two_squares()
    boxes, peak = level_boxes(levels), int(levels.max())
    taus = np.array([0.0, 0.25, 0.49, 0.51, 0.9])
    large, small, nothing = [2, 2, 21, 21], [3, 3, 7, 7], [28, 28, 31, 31]
    for truth, expected in [
        ([large], [True, True, True, False, False]),
        ([small], [False, False, False, True, True]),
        ([nothing], [False] * 5),
        ([nothing, small], [False, False, False, True, True]),
        ([small, large], [True] * 5),
    ]:
        assert hits_of(boxes, peak, truth, taus).tolist() == expected


def test_one_of_all_regions_may_hit_where_the_largest_one_does_not():
    levels = np.zeros((32, 32), np.uint8)
    levels[2:22, 2:22] = 200
    levels[25:30, 25:30] = 100
    boxes, taus = level_boxes(levels), np.array([0.0, 0.4, 0.6])
    small = [[25, 25, 29, 29]]
    assert not hits_of(boxes, 200, small, taus).any()
    assert hits_of(boxes, 200, small, taus, "all").tolist() == [True, True, False]


def test_a_hole_may_hit_where_no_region_does():
    levels = np.zeros((32, 32), np.uint8)
    levels[2:30, 2:30] = 200
    levels[11:19, 13:21] = 0
    boxes, taus = level_boxes(levels), np.array([0.0, 0.5])
    hole = [[12, 10, 21, 19]]  # from the pixels around it
    assert not hits_of(boxes, 200, hole, taus).any()
    assert hits_of(boxes, 200, hole, taus, "all").all()
    # Its box ends one pixel further, as all do.
    assert overlaps_by_level(boxes, np.array(hole))["all"][0] == pytest.approx(100 / 121)


def test_the_overlap_of_exactly_one_half_is_a_hit():
    everywhere = np.zeros(256, np.int64)
    boxes = LevelBoxes(np.array([[0, 0, 9, 9]], np.int32), everywhere, everywhere + 1)
    taus = np.array([0.5])
    assert iou(boxes.boxes[0], np.array([[0, 0, 9, 4]])) == 0.5
    for whose in ("largest", "all"):
        assert hits_of(boxes, 255, [[0, 0, 9, 4]], taus, whose).all()
        assert not hits_of(boxes, 255, [[0, 0, 9, 3]], taus, whose).any()
        assert not hits_of(boxes, 255, [[0, 0, 9, 4]], taus, whose, 0.51).any()


def test_a_frame_without_true_boxes_is_refused():
    with pytest.raises(ValueError, match="at least one true box"):
        overlaps_by_level(level_boxes(two_squares()), np.zeros((0, 4)))


def five_frames():
    """Three frames of class 0, one of class 1, none of class 2, one of class 3."""
    rows = ["110", "010", "011", "001", "000"]
    return Localisation(
        hits=np.array([[mark == "1" for mark in row] for row in rows]),
        labels=np.array([0, 0, 0, 1, 3]),
        taus=np.array([0.1, 0.2, 0.3]),
    )


def test_figures_by_hand():
    result = five_frames()
    np.testing.assert_allclose(result.frame_mean(), [20, 60, 40])
    per_class = [[100 / 3, 0, np.nan, 0, np.nan], [100, 0, np.nan, 0, np.nan],
                 [100 / 3, 100, np.nan, 0, np.nan]]  # fmt: skip
    np.testing.assert_allclose(result.per_class(5), per_class)
    np.testing.assert_allclose(result.class_mean(), [100 / 9, 100 / 3, 400 / 9])
    # By the frame mean, although the class mean is higher at 0.3.
    assert result.best_tau() == 0.2


def test_published_table_as_counts():
    """TCAM's row of the paper's Table 1: 265 of 346 frames, 73.05 averaged over the classes."""
    frames = [84, 27, 37, 33, 33, 21, 37, 31, 27, 16]
    correct = [76, 19, 23, 25, 28, 17, 30, 20, 19, 8]
    hit = np.concatenate([np.arange(n) < c for n, c in zip(frames, correct, strict=True)])
    result = Localisation(hit[:, None], np.repeat(np.arange(10), frames), np.array([0.5]))
    published = [90.5, 70.4, 62.2, 75.8, 84.8, 81.0, 81.1, 64.5, 70.4, 50.0]
    np.testing.assert_allclose(result.per_class(10)[0], published, atol=0.05)
    assert result.frame_mean()[0] == pytest.approx(76.6, abs=0.05)
    assert result.class_mean()[0] == pytest.approx(73.05, abs=0.05)


def test_of_equal_thresholds_the_smallest_is_best():
    result = Localisation(
        hits=np.array([[False, True, False, True], [False, False, True, False]]),
        labels=np.array([0, 1]),
        taus=np.array([0.0, 0.25, 0.5, 0.75]),
    )
    assert result.best_tau() == 0.25


def test_the_best_threshold_of_one_class():
    result = five_frames()
    assert [result.best_tau_of_class(label) for label in range(4)] == [0.2, 0.3, 0.2, 0.1]


def test_no_frames_is_an_error():
    with pytest.raises(ValueError, match="at least one frame"):
        Localisation(np.zeros((0, 3), bool), np.zeros(0, int), np.array([0.1, 0.2, 0.3]))


def test_boxes_that_look_at_nothing():
    assert whole_frame(96).tolist() == [0, 0, 95, 95]
    assert centre_box(96, 0.5).tolist() == [24, 24, 71, 71]
    assert centre_box(96, 0.001).tolist() == [47, 47, 47, 47]
    truth = np.array([[0, 0, 95, 95]])
    assert iou(centre_box(96, 0.5), truth) == 0.25
    for wrong in (0.0, 1.5, float("nan")):
        with pytest.raises(ValueError, match="up to 1"):
            centre_box(96, wrong)
