"""Tracks of known movements; MOTA and IDF1, by motmetrics, are 1 where no number is ever wrong."""

import motmetrics
import numpy as np
import pytest
from PIL import Image

from tcam_jax.evaluate.corloc import iou
from tcam_jax.predict.inputs import InputFrame
from tcam_jax.predict.prediction import Prediction
from tcam_jax.predict.predictor import Predictor
from tcam_jax.predict.tracks import Tracker, with_tracks
from tests.predict.test_predictor import CLASSES, SIZE, Forward

SECONDS = 1 / 25


def crossing(speed=4.0, count=40, noise=0.0, missing=()):
    """Two boxes that walk through each other: object -> box, of each frame."""
    rng = np.random.default_rng(0)
    frames = []
    for i in range(count):
        there, back = 10 + speed * i, 10 + speed * (count - 1 - i)
        boxes = {1: (there, 40, there + 30, 70), 2: (back, 48, back + 30, 98)}
        noisy = {
            one: tuple(np.add(box, rng.normal(0, noise, 4)).tolist()) for one, box in boxes.items()
        }
        frames.append({} if i in missing else noisy)
    return frames


def scores(truth, found):
    """MOTA and IDF1 of (boxes, ids) of each frame."""
    accumulator = motmetrics.MOTAccumulator(auto_id=True)
    for objects, (boxes, ids) in zip(truth, found, strict=True):
        # Not by motmetrics.distances.iou_matrix, which calls what NumPy 2 does not have.
        far = 1 - iou(*(np.reshape(list(some), (-1, 4)) for some in (objects.values(), boxes)))
        accumulator.update(list(objects), ids, np.where(far > 0.5, np.nan, far))
    of = motmetrics.metrics.create().compute(accumulator, metrics=["mota", "idf1"])
    return of.loc[0, "mota"], of.loc[0, "idf1"]


def follow(frames, seconds=SECONDS):
    tracker = Tracker()
    found = []
    for i, objects in enumerate(frames):
        boxes = list(objects.values())[:: 1 if i % 3 else -1]  # whatever their order
        found.append((boxes, tracker(boxes, i * seconds)))
    return found


@pytest.mark.parametrize(
    "walk",
    [
        {},
        {"noise": 3.0},
        {"speed": 24.0, "count": 20},  # four fifths of a box a frame
        {"speed": 6.0, "missing": range(8, 18)},
        {"speed": 15.0, "missing": range(8, 13), "noise": 1.0},
        {"missing": range(3, 27)},  # a second less one frame, and they cross unseen
    ],
)
def test_an_object_keeps_its_number(walk):
    truth = crossing(**walk)
    found = follow(truth)
    assert scores(truth, found) == (1.0, 1.0)
    assert {number for _, ids in found for number in ids} == {1, 2}


def test_what_is_away_for_more_than_a_second_is_new():
    truth = crossing(missing=range(10, 36))
    numbers = [sorted(ids) for _, ids in follow(truth)]
    assert numbers == [[1, 2]] * 10 + [[]] * 26 + [[3, 4]] * 4


@pytest.mark.parametrize("stride", [1, 5])
def test_a_stride_changes_no_number(stride):
    truth = crossing(speed=1.5, noise=1.0, count=80)[::stride]
    assert scores(truth, follow(truth, stride * SECONDS)) == (1.0, 1.0)


def test_of_frames_far_apart_the_next_one_goes_on():
    tracker = Tracker()
    assert [tracker([(0.0, 0.0, 40.0, 40.0)], 60.0 * i) for i in range(5)] == [[1]] * 5
    assert tracker([], 300.0) == [] and tracker([(0.0, 0.0, 40.0, 40.0)], 360.0) == [2]


def test_what_shakes_by_half_its_width_and_stands_is_one():
    tracker = Tracker()
    for i, x in enumerate([6.0, 10.0] * 10):
        assert tracker([(x, 2.0, x + 8, 8.0)], SECONDS * i) == [1]


def test_every_box_has_a_number_and_no_number_is_twice_in_a_frame():
    rng = np.random.default_rng(0)
    tracker, seen = Tracker(), set()
    for i in range(200):
        low = rng.uniform(0, 60, (rng.integers(6), 2))
        boxes = np.concatenate([low, low + rng.uniform(0.5, 40, low.shape)], axis=1)
        numbers = tracker([tuple(box) for box in boxes.tolist()], SECONDS * i)
        assert len(numbers) == len(set(numbers)) == len(boxes)
        seen |= set(numbers)
    assert seen == set(range(1, len(seen) + 1)) and len(seen) > 20


def passing(count=12):
    """Two regions that pass one above the other, so near that their rows touch; frames, truth."""
    images, truth = np.zeros((count, SIZE, SIZE, 3), np.uint8), []
    for i in range(count):
        boxes = {1: (2 * i, 4, 2 * i + 8, 14), 2: (22 - 2 * i, 15, 30 - 2 * i, 22)}
        if i in (4, 5):
            boxes = {}
        for x0, y0, x1, y1 in boxes.values():
            images[i, y0:y1, x0:x1, 0] = 200
        truth.append(boxes)
    return images, truth


def test_a_predictor_follows_all_regions():
    images, truth = passing()
    network = Predictor(Forward(), CLASSES, SIZE, 0.5, batch_size=4, regions="all")
    found = network.predict(images, track=True)
    assert scores(truth, [(one.boxes, one.tracks) for one in found]) == (1.0, 1.0)
    assert found[0].tracks == [1, 2] and found[4].tracks == []
    assert [one.tracks for one in network.predict(images)] == [None] * len(images)
    assert found[0].to_dict()["tracks"] == [1, 2]


def test_each_file_is_numbered_anew_and_images_are_not(tmp_path):
    images, _ = passing()
    Image.fromarray(images[0]).save(tmp_path / "a.png")
    network = Predictor(Forward(), CLASSES, SIZE, 0.5, batch_size=4)
    found = network.predict([images[:2], tmp_path / "a.png", images[9:]], track=True)
    assert [one.tracks for one in found] == [[1], [1], None, [1], [1], [1]]


def test_tracks_come_as_the_frames_do():
    taken = []

    def predictions():
        for i in range(20):
            taken.append(i)
            yield prediction([(0.0, 0.0, 8.0, 8.0)], i, time=0.04 * i)

    for number, one in enumerate(with_tracks(predictions())):
        assert one.tracks == [1] and len(taken) == number + 1


def prediction(boxes, frame, time):
    image = np.zeros((16, 16, 3), np.uint8)
    seen = InputFrame(None, frame, time, image)
    one = np.ones(1)
    return Prediction(
        0, "cat", 1.0, boxes, [1.0] * len(boxes), image[..., 0], True, 0, one, ("cat",),
        seen.image, seen.file, seen.frame, seen.time,
    )  # fmt: skip
