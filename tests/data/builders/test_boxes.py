import math

import numpy as np
import pytest

from tcam_jax.data.builders.boxes import check_boxes
from tcam_jax.data.builders.sources import SourceBox


@pytest.mark.parametrize(
    ("corners", "usable", "kinds"),
    [
        ((1.5, 2, 30, 20), [1.5, 2, 30, 20], []),
        ((0, 0, 40, 30), [0, 0, 40, 30], []),  # the whole image
        ((-3, -0.5, 30, 20), [0, 0, 30, 20], ["box_clipped"]),
        ((1, 2, 41, 33), [1, 2, 40, 30], ["box_clipped"]),
        ((30, 2, 1, 20), [1, 2, 30, 20], ["box_inverted"]),
        ((30, 20, 1, 2), [1, 2, 30, 20], ["box_inverted"]),
        ((45, 2, -1, 20), [0, 2, 40, 20], ["box_inverted", "box_clipped"]),
        ((5, 5, 5, 20), None, ["box_empty"]),
        ((41, 2, 50, 20), None, ["box_empty"]),  # wholly outside
        ((-9, 2, 0, 20), None, ["box_empty"]),
        ((math.nan, 2, 3, 20), None, ["box_malformed"]),
        ((1, 2, math.inf, 20), None, ["box_malformed"]),
    ],
)
def test_the_rules_for_one_box_of_an_image_of_40_by_30(corners, usable, kinds):
    source = SourceBox("line 7", tuple(float(corner) for corner in corners))
    boxes, findings = check_boxes([source], 40, 30)
    assert boxes.tolist() == ([] if usable is None else [usable])
    assert boxes.shape[1] == 4 and boxes.dtype == "float32"
    assert [(f.kind, f.where) for f in findings] == [(kind, "line 7") for kind in kinds]


def test_the_order_of_boxes_is_kept():
    sources = [SourceBox(f"line {x}", (float(x), 0.0, 40.0, 30.0)) for x in (5, 40, 3)]
    boxes, findings = check_boxes(sources, 40, 30)
    assert boxes[:, 0].tolist() == [5, 3]
    assert [f.where for f in findings] == ["line 40"]


@pytest.mark.parametrize(
    ("size", "usable", "kinds"),
    [
        ((40, 30), [4, 6, 20, 12], []),
        ((80, 60), [2, 3, 10, 6], ["box_rescaled"]),
        ((1920, 1441), [0.08, 0.12, 0.42, 0.25], ["box_rescaled"]),
        ((30, 40), None, ["box_other_size"]),
    ],
)
def test_a_box_for_another_size_of_the_frame_is_rescaled(size, usable, kinds):
    boxes, findings = check_boxes([SourceBox("line 7", (4.0, 6.0, 20.0, 12.0), size)], 40, 30)
    expected = np.reshape([] if usable is None else usable, (-1, 4))
    np.testing.assert_allclose(boxes, expected, atol=0.01)
    assert [f.kind for f in findings] == kinds
