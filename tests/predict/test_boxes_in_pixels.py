"""Predicted boxes in pixels of the frame: exact to its edges, never empty."""

import numpy as np
import pytest

from tcam_jax.evaluate.boxes import box_of_mask
from tcam_jax.evaluate.logit_map import from_scale
from tcam_jax.predict.predictor import Predictor
from tcam_jax.runtime.errors import InputError

LEVEL = 200
SIZES = [(1, 1), (1, 600), (7, 5), (33, 80), (80, 33), (576, 768), (1081, 1921), (2160, 4096)]


def boxes_on(maps, height, width, **options):
    """Predict frames of this size whose maps are given, at the level of 100."""
    size = maps.shape[1]
    made = iter(maps)

    def forward(frames):
        batch = [next(made, np.zeros((size, size), np.uint8)) for _ in frames]
        return np.zeros((len(frames), 2)), np.array(batch)

    options = {"tau": 100 / 255, "of_logits": True, "regions": "all"} | options
    predictor = Predictor(forward, ("a", "b"), size, **options)
    frame = np.zeros((height, width, 3), np.uint8)
    return predictor.predict([frame] * len(maps))


@pytest.mark.parametrize("size", [32, 80, 224])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_rectangles_on_the_borders_of_cells_are_found_exactly(size, height, width):
    rng = np.random.default_rng(size)
    cells = [np.sort(rng.choice(size + 1, (2, 2), replace=False), axis=0) for _ in range(12)]
    last = [[size - 1, size]] * 2
    edges = [*(c.T.tolist() for c in cells), [[0, size]] * 2, [[0, 1]] * 2, last]
    maps = np.zeros((len(edges), size, size), np.uint8)  # whose 0 is a logit of -2000
    for u8, ((x0, x1), (y0, y1)) in zip(maps, edges, strict=True):
        u8[y0:y1, x0:x1] = LEVEL
    (z,) = from_scale(np.array([(LEVEL + 0.5) / 255]))
    score = 1 / (1 + np.exp(-z))
    for found, (x, y) in zip(boxes_on(maps, height, width), edges, strict=True):
        truth = [
            x[0] * width / size,
            y[0] * height / size,
            x[1] * width / size,
            y[1] * height / size,
        ]
        assert found.boxes == [tuple(truth)]
        assert found.scores == [pytest.approx(score)]
        assert (found.box[2] == width) == (x[1] == size)
        assert (found.box[3] == height) == (y[1] == size)


def test_the_corner_of_a_wide_video_ends_at_its_edge():
    u8 = np.zeros((1, 80, 80), np.uint8)
    u8[0, 72:, 72:] = 200
    assert boxes_on(u8, 1080, 1920)[0].box == (1728, 972, 1920, 1080)
    # What is scored stops before it, as the reference's boxes do.
    assert box_of_mask(u8[0] > 100).tolist() == [72, 72, 79, 79]


def test_no_box_of_10000_random_maps_is_empty():
    rng = np.random.default_rng(0)
    share = rng.uniform(0.005, 0.4, (10000, 1, 1))
    maps = np.where(rng.random((10000, 12, 12)) < share, 200, 0).astype(np.uint8)
    maps[:100] = 0
    maps[range(100), rng.integers(0, 12, 100), rng.integers(0, 12, 100)] = 200  # one cell alone
    count = 0
    for u8, found in zip(maps, boxes_on(maps, 37, 91, batch_size=1000), strict=True):
        assert bool(found.boxes) == bool(u8.any())
        for x0, y0, x1, y1 in found.boxes:
            assert 0 <= x0 < x1 <= 91 and 0 <= y0 < y1 <= 37
            count += 1
    assert count > 20000


def test_scores_are_means_of_the_box_alone():
    u8 = np.zeros((1, 8, 8), np.uint8)
    u8[0, 2:4, 2:5] = 255
    u8[0, 2, 2] = 204
    (found,) = boxes_on(u8, 8, 8, tau=0.5, of_logits=False)
    assert found.boxes == [(2, 2, 5, 4)]
    assert found.scores == [pytest.approx((5 + 0.8) / 6)]


@pytest.mark.parametrize(
    ("min_area", "left"), [(0.0, 3), (1 / 64, 3), (1.5 / 64, 2), (0.1, 1), (0.5, 0)]
)
def test_small_boxes_are_left_out_on_request(min_area, left):
    u8 = np.zeros((1, 8, 8), np.uint8)
    u8[0, 0, 0] = u8[0, 0, 3:7] = 200
    u8[0, 4:7, 4:8] = 200
    (found,) = boxes_on(u8, 60, 20, min_area=min_area)
    assert len(found.boxes) == len(found.scores) == left
    (one,) = boxes_on(u8, 60, 20, min_area=min_area, regions="largest")
    assert one.boxes == found.boxes[:1]


def test_an_impossible_area_is_refused():
    with pytest.raises(InputError, match=r"min_area must be in 0..1, below 1; got 1.0"):
        boxes_on(np.zeros((1, 8, 8), np.uint8), 8, 8, min_area=1.0)
