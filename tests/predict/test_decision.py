"""Thresholds, nothing-here, and the region of each box, from maps made by hand."""

import numpy as np
import pytest

from tcam_jax.evaluate.logit_map import multi_otsu_level_of_logits, otsu_level_of_logits
from tcam_jax.predict.decision import Decision
from tcam_jax.predict.inputs import InputFrame
from tcam_jax.predict.predictor import Predictor
from tcam_jax.runtime.errors import InputError

CLASSES = ("bird", "cat")
LOGITS = np.log([0.3, 0.7])


def seen(height=16, width=16):
    return InputFrame(None, 0, None, np.zeros((height, width, 3), np.uint8))


def two_regions():
    u8 = np.zeros((8, 8), np.uint8)
    u8[0:2, 0:2] = 250
    u8[3:8, 3:8] = 150
    return u8


def decide(u8, logits=LOGITS, frame=None, tau=0.5, of_logits=True, **options):
    return Decision(CLASSES, tau, of_logits, **options)(frame or seen(), logits, u8)


@pytest.mark.parametrize(
    ("rule", "level"),
    [("otsu", otsu_level_of_logits), ("multi_otsu", multi_otsu_level_of_logits)],
)
def test_a_rule_takes_the_place_of_the_threshold(rule, level):
    u8 = np.random.default_rng(0).integers(0, 256, (32, 32), np.uint8)
    found = decide(u8, tau=None, rule=rule)
    assert found.level == level(u8) and (found.mask() == found.mask(None)).all()


def test_rules_of_other_maps_are_refused():
    with pytest.raises(InputError, match="not of logits must be one of otsu; got 'middle'"):
        decide(two_regions(), tau=None, of_logits=False, rule="middle")
    with pytest.raises(InputError, match="rule of this map must be one of otsu, .*; got 'x'"):
        decide(two_regions(), tau=None, rule="x")


@pytest.mark.parametrize(("least", "boxes"), [(0.69, 2), (0.71, 0)])
def test_a_frame_of_nothing_probable_has_no_box(least, boxes):
    found = decide(two_regions(), regions="all", min_probability=least)
    assert len(found.boxes) == len(found.scores) == boxes
    assert found.class_name == "cat" and found.probability == pytest.approx(0.7)


def test_the_background_has_no_box():
    found = decide(two_regions(), background="cat")
    assert found.class_name == "cat" and found.boxes == [] and found.mask().any()
    assert len(decide(two_regions(), background="bird").boxes) == 1
    assert len(decide(two_regions(), background="cat", class_name="bird").boxes) == 1


def test_boxes_of_a_low_score_make_room_for_others():
    largest = decide(two_regions(), of_logits=False, tau=0.5)
    assert largest.boxes == [(6, 6, 16, 16)] and largest.scores == [pytest.approx(150 / 255)]
    surer = decide(two_regions(), of_logits=False, tau=0.5, min_score=0.8)
    assert surer.boxes == [(0, 0, 4, 4)] and surer.scores == [pytest.approx(250 / 255)]
    assert surer.confidences == [pytest.approx(0.7 * 250 / 255)]
    assert decide(two_regions(), of_logits=False, min_score=0.99).boxes == []


def test_each_box_has_its_own_region():
    u8 = np.zeros((8, 8), np.uint8)
    u8[0, :7] = u8[:7, 0] = u8[6, :7] = 200  # around
    u8[2:5, 3:6] = 200
    found = decide(u8, frame=seen(24, 40), regions="all")
    inside, around = found.region_masks()  # by the area that a contour encloses
    assert found.boxes == [(15, 6, 30, 15), (0, 0, 35, 21)]
    assert around.sum() == 15 * 19 and not (around & inside).any()
    assert inside[6:15, 15:30].all() and inside.sum() == 9 * 15
    np.testing.assert_array_equal(around | inside, found.mask())
    assert decide(u8 * 0).region_masks().shape == (0, 16, 16)


def test_a_mask_at_another_threshold():
    found = decide(two_regions())
    assert found.mask(0.9).sum() == 16 and found.mask(0.5).sum() == 116
    relative = decide(two_regions(), of_logits=False, tau=0.9)
    assert relative.mask().sum() == 16 and relative.mask(0.59).sum() == 116
    with pytest.raises(InputError, match="threshold must be in 0..1, below 1; got 1.0"):
        found.mask(1.0)


def test_a_model_is_called_as_a_function():
    def forward(frames):
        return LOGITS[None], two_regions()[None]

    model = Predictor(forward, CLASSES, 8, 0.5, of_logits=True)
    image = np.zeros((16, 16, 3), np.uint8)
    (found,) = model(image)
    assert found.box == (6, 6, 16, 16) and found.image is image
    assert found.to_dict() == {
        "file": None,
        "frame": 0,
        "time": None,
        "width": 16,
        "height": 16,
        "class": "cat",
        "probability": pytest.approx(0.7),
        "probabilities": {"bird": pytest.approx(0.3), "cat": pytest.approx(0.7)},
        "boxes": [[6, 6, 16, 16]],
        "scores": found.scores,
    }


def test_it_is_said_in_a_line():
    found = decide(two_regions(), regions="all")
    assert repr(found) == (
        "Prediction(cat 0.70, frame 0, boxes: [6.0, 6.0, 16.0, 16.0], [0.0, 0.0, 4.0, 4.0])"
    )
    assert "boxes: none)" in repr(decide(two_regions() * 0))


def test_supervision_takes_the_boxes():
    found = decide(two_regions(), regions="all")._replace(tracks=[7, 3])
    detections = found.to_supervision()
    np.testing.assert_array_equal(detections.xyxy, found.boxes)
    np.testing.assert_array_equal(detections.mask, found.region_masks())
    np.testing.assert_allclose(detections.confidence, found.confidences, rtol=1e-6)
    assert detections.class_id.tolist() == [1, 1] and detections.tracker_id.tolist() == [7, 3]
    assert detections.data["class_name"].tolist() == ["cat", "cat"]
    assert len(decide(two_regions() * 0).to_supervision()) == 0
