"""Boxes as means over their tracks, compared with convolutions and with sums written out."""

import numpy as np
import pytest
from PIL import Image

from tcam_jax.predict.predictor import Predictor
from tcam_jax.predict.smooth_boxes import with_smooth_boxes
from tcam_jax.runtime.errors import InputError
from tests.predict.test_predictor import CLASSES, SIZE, Forward, frame
from tests.predict.test_tracks import prediction


def of_one_track(boxes, missing=()):
    for i, box in enumerate(boxes.tolist()):
        there = [] if i in missing else [tuple(box)]
        yield prediction(there, i, 0.04 * i)._replace(tracks=[1] * len(there))


@pytest.mark.parametrize("reach", [1, 3])
def test_a_box_is_the_triangular_mean_of_its_track(reach):
    boxes = np.random.default_rng(0).uniform(0, 50, (12, 4))
    found = [one.box for one in with_smooth_boxes(of_one_track(boxes), reach)]
    kernel = np.concatenate([np.arange(1, reach + 2), np.arange(reach, 0, -1)])
    for k in range(4):
        means = np.convolve(boxes[:, k], kernel, "same") / np.convolve(np.ones(12), kernel, "same")
        np.testing.assert_allclose(np.array(found)[:, k], means)


def test_what_moves_steadily_stays_and_frames_that_lack_it_do_not_count():
    boxes = np.arange(10)[:, None] * np.array([2.0, 1, 2, 1]) + np.array([0.0, 0, 8, 9])
    found = list(with_smooth_boxes(of_one_track(boxes, missing=(4,)), 2))
    assert [len(one.boxes) for one in found] == [1] * 4 + [0] + [1] * 5
    np.testing.assert_allclose(found[7].box, boxes[7])
    np.testing.assert_allclose(
        found[3].box, (boxes[1] + 2 * boxes[2] + 3 * boxes[3] + boxes[5]) / 7
    )


def test_each_track_has_its_own_mean_whatever_the_order():
    near, far = (0.0, 0.0, 10.0, 10.0), (50.0, 50.0, 90.0, 90.0)
    given = [
        prediction([far, near], 0, 0.0)._replace(tracks=[1, 2]),
        prediction([near, far], 1, 0.04)._replace(tracks=[2, 1]),
        prediction([near], 2, 0.08)._replace(tracks=[2]),
    ]
    found = list(with_smooth_boxes(given, 5))
    assert [one.boxes for one in found] == [one.boxes for one in given]


def test_an_error_comes_after_what_was_held_back():
    def broken():
        yield from of_one_track(np.zeros((5, 4)) + 8.0)
        raise RuntimeError("broken")

    found = []
    with pytest.raises(RuntimeError, match="broken"):
        for one in with_smooth_boxes(broken(), 3):
            found.append(one.frame)
    assert found == [0, 1, 2, 3, 4]


def test_a_predictor_smooths_boxes_but_neither_maps_nor_images(tmp_path):
    # One shakes, one does not; each keeps the region that was found.
    shaken = [frame((2, 8, x, x + 8), (12, 30, 4, 28)) for x in (6, 10, 6, 10, 6)]
    Image.fromarray(shaken[0]).save(tmp_path / "a.png")
    network = Predictor(Forward(), CLASSES, SIZE, 0.5, batch_size=4, regions="all")
    *found, image = network.stream([*shaken, tmp_path / "a.png"], smooth_boxes=1)
    plain = network.predict(shaken)
    assert found[2].boxes == [(4, 12, 28, 30), (8, 2, 16, 8)] and found[2].tracks == [1, 2]
    for one, other in zip(found, plain, strict=True):
        np.testing.assert_array_equal(one.map, other.map)
        np.testing.assert_array_equal(one.region_masks(), other.region_masks())
        assert one.region_masks().sum((1, 2)).tolist() == [18 * 24, 6 * 8]
    assert image.tracks is None and image.boxes == plain[0].boxes
    with pytest.raises(InputError, match="smooth_boxes must be 0 or more frames; got -1"):
        next(network.stream(shaken, smooth_boxes=-1))
