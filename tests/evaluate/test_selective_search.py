import cv2
import numpy as np
import pytest

from tcam_jax.evaluate import selective_search
from tcam_jax.evaluate.corloc import iou
from tcam_jax.evaluate.selective_search import SIZE, check_selective_search, selective_search_boxes
from tcam_jax.runtime.errors import InputError

TRUE = np.array([60, 30, 119, 89])  # of a frame of 160 x 120


def scene():
    frame = np.full((120, 160, 3), (90, 110, 90), np.uint8)
    frame = np.clip(frame + 8 * np.random.default_rng(0).standard_normal(frame.shape), 0, 255)
    frame[30:90, 60:120] = (210, 60, 40)
    return frame.astype(np.uint8)


def test_the_proposal_of_contrast_and_agreement_is_taken(monkeypatch):
    near = TRUE + np.array([[0, 0, 0, 0], [-6, 0, 6, 0], [0, -8, 0, 4], [-10, -10, 10, 10]])
    others = np.array([[0, 0, 80, 60], [5, 90, 90, 118], [100, 60, 158, 118]])
    proposals = np.concatenate([others, near])
    monkeypatch.setattr(selective_search, "_proposals", lambda image: proposals)
    monkeypatch.setattr(selective_search, "check_selective_search", lambda: None)
    found = selective_search_boxes(scene(), lambda _: [])
    np.testing.assert_array_equal(found, TRUE[None])
    large = cv2.resize(scene(), (4 * SIZE, 480), interpolation=cv2.INTER_NEAREST)
    found = selective_search_boxes(large, lambda _: [])
    np.testing.assert_allclose(found, [[240, 120, 479, 359]])
    monkeypatch.setattr(selective_search, "_proposals", lambda image: proposals[:0])
    assert selective_search_boxes(scene(), lambda _: []).shape == (0, 4)


def test_without_the_contributed_modules_it_says_what_to_install(monkeypatch):
    monkeypatch.delattr(cv2, "ximgproc", raising=False)
    for call in (check_selective_search, lambda: selective_search_boxes(scene(), lambda _: [])):
        with pytest.raises(InputError, match="pip install opencv-contrib-python-headless"):
            call()


@pytest.mark.skipif(not hasattr(cv2, "ximgproc"), reason="OpenCV without its contributed modules")
def test_opencv_s_proposals_are_used():
    found = selective_search_boxes(scene(), lambda _: [])
    assert iou(found, TRUE[None]).max() >= 0.6
