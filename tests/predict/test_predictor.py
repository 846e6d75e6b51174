"""Prediction around a known forward pass: the map is the frame's red, the class its blue."""

import numpy as np
import pytest

from tcam_jax.predict.predictor import Predictor
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.stopwatch import Stopwatch

SIZE, BATCH = 32, 4
CLASSES = ("bird", "boat", "cat")


class Forward:
    """Notes the batches it is given."""

    def __init__(self):
        self.batches = []

    def __call__(self, frames):
        self.batches.append(frames.copy())
        blue = frames[..., 2].mean((1, 2)) / 100
        return 5.0 * np.eye(3)[blue.round().astype(int)], frames[..., 0]


def predictor(tau=0.5, **options):
    forward = Forward()
    return Predictor(forward, CLASSES, SIZE, tau, batch_size=BATCH, **options), forward


def frame(*boxes, size=(SIZE, SIZE), red=200, blue=100):
    """Rows, then columns of each box; `size` is height, width."""
    image = np.zeros((*size, 3), np.uint8)
    image[..., 2] = blue
    for y0, y1, x0, x1 in boxes:
        image[y0:y1, x0:x1, 0] = red
    return image


def test_boxes_are_in_pixels_of_the_frame_as_given():
    # Four and two times the network's square: the box is where it was drawn.
    image = frame((32, 64, 16, 48), size=(4 * SIZE, 2 * SIZE))
    (found,) = predictor()[0].predict([image])
    np.testing.assert_allclose(found.box, (16, 32, 48, 64), atol=4)
    assert found.class_name == "boat" and found.class_index == 1
    assert found.probability == pytest.approx(np.exp(5) / (np.exp(5) + 2))
    assert 0.6 < found.scores[0] < 200 / 255
    assert found.map.shape == (SIZE, SIZE) and found.map.max() == 200


@pytest.mark.parametrize(
    ("count", "batches"),
    [
        (0, []),
        (1, [1]),
        (2, [1, 1]),
        (3, [BATCH]),
        (4, [BATCH]),
        (5, [BATCH, BATCH]),
        (9, [BATCH] * 3),
    ],
)
def test_few_frames_are_computed_one_by_one_and_others_in_whole_batches(count, batches):
    network, forward = predictor()
    images = [frame((0, 8, 0, 8), blue=100 * (i % 3)) for i in range(count)]
    found = network.predict(images)
    assert [p.class_index for p in found] == [i % 3 for i in range(count)]
    assert [batch.shape for batch in forward.batches] == [(b, SIZE, SIZE, 3) for b in batches]


def test_no_more_than_two_batches_are_read_ahead():
    taken = []

    def frames():
        for i in range(30):
            taken.append(i)
            yield frame()

    for number, _ in enumerate(predictor()[0].stream(frames())):
        assert len(taken) - number <= 2 * BATCH


@pytest.mark.parametrize("reach", [1, 2, 20])
def test_smoothed_maps_are_means_over_the_neighbours(reach):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 101, (11, SIZE, SIZE, 3), dtype=np.uint8)
    found = list(predictor()[0].stream(images, smoothing=reach))
    for i, prediction in enumerate(found):
        near = images[max(i - reach, 0) : i + reach + 1, ..., 0]
        np.testing.assert_array_equal(prediction.map, near.mean(0).astype(np.uint8))
    assert len(found) == 11
    assert list(predictor()[0].stream(images[:0], smoothing=reach)) == []


def test_without_smoothing_maps_are_as_they_come():
    images = np.random.default_rng(0).integers(0, 101, (5, SIZE, SIZE, 3), dtype=np.uint8)
    for image, prediction in zip(images, predictor()[0].predict(list(images)), strict=True):
        np.testing.assert_array_equal(prediction.map, image[..., 0])


def test_all_regions_or_the_largest_and_none():
    image = frame((2, 8, 2, 8), (12, 30, 4, 28), (2, 5, 20, 31))
    (largest,) = predictor()[0].predict([image])
    (all_of_them,) = predictor(regions="all")[0].predict([image])
    assert largest.boxes == [(4, 12, 28, 30)]
    assert all_of_them.boxes == [(4, 12, 28, 30), (2, 2, 8, 8), (20, 2, 31, 5)]
    assert len(all_of_them.scores) == 3
    for tau in (0.5, None):
        for regions in ("largest", "all"):
            (nothing,) = predictor(tau, regions=regions)[0].predict([frame()])
            assert nothing.boxes == [] and nothing.scores == [] and nothing.box is None


def test_a_given_class_is_reported_with_its_own_probability():
    (found,) = predictor(class_name="cat")[0].predict([frame(blue=100)])
    assert found.class_name == "cat"
    assert found.probability == pytest.approx(1 / (np.exp(5) + 2))


@pytest.mark.parametrize("reach", [0, 2, 9])
def test_an_error_of_the_frames_comes_after_what_they_gave(reach):
    def frames():
        for _ in range(6):
            yield frame()
        raise RuntimeError("broken")

    found = []
    with pytest.raises(RuntimeError, match="broken"):
        for prediction in predictor()[0].stream(frames(), smoothing=reach):
            found.append(prediction)
    assert len(found) == 6


def test_time_is_split():
    stopwatch = Stopwatch()
    list(predictor()[0].stream([frame()] * 3, stopwatch=stopwatch))
    assert set(stopwatch.seconds) == {"decode", "forward", "boxes"}
    assert all(seconds > 0 for seconds in stopwatch.seconds.values())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"regions": "some"}, "largest, all; got 'some'"),
        ({"class_name": "dog"}, "bird, boat, cat; got 'dog'"),
        ({"tau": 1.5}, r"below 1; got 1\.5"),
    ],
)
def test_unknown_options_are_named(options, words):
    with pytest.raises(InputError, match=words):
        predictor(**options)


def test_what_is_no_frame_is_refused():
    with pytest.raises(InputError, match=r"uint8 \[h, w, 3\]; got float64"):
        predictor()[0].predict([np.zeros((8, 8, 3))])
    with pytest.raises(InputError, match="0 or more frames; got -1"):
        list(predictor()[0].stream([], smoothing=-1))
