"""Hits found by halving the levels: those of the look at every level, for any map."""

import cv2
import numpy as np
import pytest

from tcam_jax.evaluate import level_hits as module
from tcam_jax.evaluate.boxes import level_of
from tcam_jax.evaluate.corloc import TAUS_VALIDATION, hits, overlaps_by_level
from tcam_jax.evaluate.level_boxes import LevelBoxes, level_boxes
from tcam_jax.evaluate.level_hits import level_hits


def _smooth(rng, h, w):
    few = rng.random((rng.integers(1, 8), rng.integers(1, 8))).astype(np.float32)
    return 255 * cv2.resize(few, (int(w), int(h)), interpolation=cv2.INTER_LINEAR)


def _rings(rng, h, w):
    y, x = np.mgrid[:h, :w]
    levels = np.zeros((h, w))
    for _ in range(rng.integers(1, 5)):
        distance = np.hypot(y - rng.random() * h, x - rng.random() * w)
        on = abs(distance - rng.random() * max(h, w) / 2) < rng.choice([0.6, 0.8, 1.5, 3])
        levels[on] = rng.integers(1, 256)
    return levels


def _rectangles(rng, h, w):
    levels = np.zeros((h, w))
    for _ in range(rng.integers(1, 12)):
        (x0, x1), (y0, y1) = (np.sort(rng.integers(0, side + 1, 2)) for side in (w, h))
        levels[y0:y1, x0:x1] = rng.integers(0, 256)
    return levels


MAPS = {
    "noise": lambda rng, h, w: rng.integers(0, 256, (h, w)),
    "few values": lambda rng, h, w: 40 * rng.integers(0, rng.integers(2, 7), (h, w)),
    "smooth": _smooth,
    "smooth with noise": lambda rng, h, w: 0.8 * _smooth(rng, h, w) + rng.normal(0, 9, (h, w)),
    "rings": _rings,
    "rectangles": _rectangles,
    "constant": lambda rng, h, w: np.full((h, w), rng.choice([0, 1, 200, 255])),
}


def _truth(rng, boxes: LevelBoxes, h: int, w: int) -> np.ndarray:
    """One to three boxes; some reach out of the frame, some are those of a level, one is empty."""
    count = rng.integers(1, 4)
    x, y = (np.sort(rng.integers(-1, side + 2, (count, 2)), axis=1) for side in (w, h))
    truth = np.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]], axis=1).astype(np.int32)
    if len(boxes.boxes) and rng.random() < 0.5:
        truth[0] = boxes.boxes[rng.integers(len(boxes.boxes))]
    return truth


@pytest.mark.parametrize("kind", MAPS)
def test_hits_are_those_of_a_look_at_every_level(kind):
    rng, some = np.random.default_rng(len(kind)), 0
    for _ in range(25):
        h, w = rng.integers(1, 28, 2)
        levels = np.clip(MAPS[kind](rng, h, w), 0, 255).astype(np.uint8)
        boxes = level_boxes(levels)
        truth = _truth(rng, boxes, h, w)
        overlaps = overlaps_by_level(boxes, truth)["largest"]
        found = level_hits(levels, np.arange(256), truth)
        np.testing.assert_array_equal(found, overlaps >= 0.5)
        for peak in (int(levels.max()), 255):
            expected = hits(overlaps[None], np.array([peak]), TAUS_VALIDATION)[0]
            found = level_hits(levels, level_of(TAUS_VALIDATION, peak), truth)
            np.testing.assert_array_equal(found, expected)
        some += expected.any()
    assert some


def test_a_region_in_the_hole_of_another_takes_over_where_that_one_ends():
    levels = np.zeros((30, 30), np.uint8)
    levels[2:28, 2:28] = 100
    levels[4:26, 4:26] = 0
    levels[6:24, 6:24] = 200  # encloses more than half of what the ring does
    inner = level_hits(levels, np.arange(256), np.array([[6, 6, 24, 24]]))
    assert inner.all() == level_hits(levels, np.arange(200), np.array([[6, 6, 23, 23]])).all()
    small = level_hits(levels, np.arange(256), np.array([[6, 6, 15, 24]]))  # the ring is too large
    assert np.flatnonzero(small).tolist() == list(range(100, 200))


def test_few_levels_of_a_networks_map_are_looked_at(monkeypatch):
    y, x = np.mgrid[:28, :28] / 28
    cam = np.exp(-((y - 0.4) ** 2 + (x - 0.6) ** 2) / 0.05).astype(np.float32)
    levels = (255 * cv2.resize(cam, (224, 224))).astype(np.uint8)
    looks: list[int] = []
    look = module._Halving._look

    def counted(self, number, within):
        looks.append(number)
        return look(self, number, within)

    monkeypatch.setattr(module._Halving, "_look", counted)
    found = level_hits(levels, np.arange(250), np.array([[90, 60, 180, 130]]))
    assert found.any() and not found.all() and len(looks) == len(set(looks)) < 20
