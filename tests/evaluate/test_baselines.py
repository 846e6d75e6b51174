import cv2
import numpy as np
import pytest

from tcam_jax.data.truth import Truth
from tcam_jax.evaluate.baselines import best_fraction, box_corloc, centre_boxes, moving_box


def truth_of(boxes, labels):
    return Truth(
        records=np.arange(len(boxes)),
        ids=[f"{i}" for i in range(len(boxes))],
        labels=np.array(labels, np.int32),
        sizes=np.tile(np.array([100, 80], np.int32), (len(boxes), 1)),
        boxes=[np.array(of_frame, np.float32).reshape(-1, 4) for of_frame in boxes],
    )


def test_the_centre_box_has_the_frame_s_shape_and_the_best_size_is_found():
    truth = truth_of([[[25, 20, 74, 59]], [[20, 16, 79, 63]]], [0, 1])
    np.testing.assert_allclose(centre_boxes(truth, 0.5), [[25, 20, 74, 59]] * 2)
    np.testing.assert_allclose(centre_boxes(truth, 1.0), [[0, 0, 99, 79]] * 2)
    assert box_corloc(centre_boxes(truth, 0.5), truth) == 100
    assert box_corloc(centre_boxes(truth, 1.0), truth) == 0
    # The first of those that hit both: 0.45² / 0.6² is above a half, 0.4² / 0.6² is not.
    assert best_fraction(truth) == pytest.approx(0.45)


def test_corloc_is_the_mean_over_classes_and_any_true_box_will_do():
    truth = truth_of([[[0, 0, 9, 9]], [[0, 0, 9, 9]], [[50, 50, 59, 59], [0, 0, 9, 9]]], [0, 0, 4])
    boxes = np.array([[0, 0, 9, 9], [30, 30, 40, 40], [0, 0, 9, 9]], float)
    assert box_corloc(boxes, truth) == pytest.approx((50 + 100) / 2)
    assert box_corloc(boxes, truth, least=1.0) == pytest.approx(75)
    with pytest.raises(ValueError, match="a true box on every frame"):
        box_corloc(boxes[:1], truth_of([[]], [0]))


def test_what_moves_is_found_before_a_background_that_the_camera_shifts():
    rng = np.random.default_rng(0)
    coarse = [rng.integers(0, 256, (*size, 3), np.uint8) for size in ((40, 50), (8, 10))]
    canvas, thing = (cv2.resize(small, None, fx=4, fy=4) for small in coarse)
    thing = thing[:30]

    def frame(number):
        seen = canvas[10 + number : 110 + number, 20 - 2 * number : 160 - 2 * number].copy()
        seen[40:70, 50 + 9 * number : 90 + 9 * number] = thing
        return seen

    x0, y0, x1, y1 = moving_box(frame(1), [frame(0), frame(2)])
    assert np.abs(np.array([x0, y0, x1, y1]) - [59, 40, 98, 69]).max() <= 5
    assert moving_box(frame(1), []).tolist() == [0, 0, 139, 99]
