"""The threshold of agreement, by hand."""

import numpy as np

from tcam_jax.data.truth import Truth
from tcam_jax.evaluate.agreement import agreed_level
from tcam_jax.evaluate.split import MapAnswers, SplitScores

SIZE, FRAMES = 32, 3
ALL = np.ones(FRAMES, bool)


def _scores(agreement):
    """At level l every frame's box is the square from 0 to 31 - l // 8."""
    side = 31 - np.arange(256) // 8
    boxes = np.zeros((FRAMES, 256, 4), np.int32)
    boxes[..., 2:] = side[None, :, None]
    answers = MapAnswers(
        boxes=boxes,
        peaks=np.full(FRAMES, 255, np.int32),
        levels={},
        overlaps={},
        agreement=agreement,
    )
    return SplitScores(np.zeros((FRAMES, 2)), {("tcam", "truth"): answers}, None)


def _truth(boxes):
    """Frames of twice the maps' size."""
    return Truth(
        records=np.arange(FRAMES),
        ids=[f"a/b/{i}.jpg" for i in range(FRAMES)],
        labels=np.zeros(FRAMES, np.int32),
        sizes=np.full((FRAMES, 2), 2 * SIZE, np.int32),
        boxes=[np.array(box, np.float32).reshape(-1, 4) for box in boxes],
    )


def test_it_is_where_the_mean_overlap_with_the_cams_is_largest():
    agreement = np.zeros((FRAMES, 256))
    agreement[0, 100], agreement[:, 140], agreement[:, 255] = 1.0, 0.4, 0.9
    assert agreed_level(_scores(agreement), "tcam", None, SIZE, ALL) == 140  # above 255 is nothing


def test_pseudo_boxes_take_the_cams_place_where_a_frame_has_one():
    scores = _scores(np.eye(1, 256, 77).repeat(FRAMES, 0))
    pseudo = _truth([[0, 0, 40, 40], [], [0, 0, 40, 40]])  # 0 to 20 on the map
    level = agreed_level(scores, "tcam", pseudo, SIZE, ALL)
    assert 31 - level // 8 == 20
    assert agreed_level(scores, "tcam", _truth([[], [], []]), SIZE, ALL) == 77


def test_frames_of_the_background_have_no_say():
    agreement = np.zeros((FRAMES, 256))
    agreement[0, 100], agreement[1:, 140] = 0.5, 0.9
    judged = np.array([True, False, False])
    assert agreed_level(_scores(agreement), "tcam", None, SIZE, judged) == 100
    pseudo = _truth([[], [0, 0, 40, 40], [0, 0, 40, 40]])
    assert agreed_level(_scores(agreement), "tcam", pseudo, SIZE, judged) == 100
