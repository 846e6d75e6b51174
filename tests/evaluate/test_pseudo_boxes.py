import io

import numpy as np
import pytest
from PIL import Image

from tcam_jax.data.records import Split
from tcam_jax.data.shot_table import Row, ShotTable
from tcam_jax.data.truth import Truth
from tcam_jax.evaluate.corloc import scale_boxes
from tcam_jax.evaluate.pseudo_boxes import (
    PSEUDO_BOXES,
    pseudo_truth,
    truth_of_maps,
    without_boxes,
)
from tcam_jax.evaluate.split import MapAnswers, SplitScores
from tcam_jax.runtime.errors import InputError


class _Grey:
    """Records of one grey each, 10 times their number: a frame says which it is."""

    def __init__(self, count):
        self._count = count

    def __len__(self):
        return self._count

    def __getitem__(self, record):
        from tensorflow_datasets.proto import tf_example_pb2

        file = io.BytesIO()
        Image.new("RGB", (40, 30), (10 * record,) * 3).save(file, "JPEG")
        example = tf_example_pb2.Example()
        content = file.getvalue() if record != 7 else file.getvalue()[:100]
        example.features.feature["image"].bytes_list.value.append(content)
        return example.SerializeToString()


@pytest.fixture
def split():
    """Shots of 3, 1, 3 and 2 frames; record 7 is damaged."""
    lengths = {"a": 3, "b": 1, "c": 3, "d": 2}
    rows = [Row(name, name, i, 0, False) for name, n in lengths.items() for i in range(n)]
    return Split("grey validation", _Grey(9), _Grey(9), ShotTable.from_rows(rows), ("x", "y"))


def truth_of(records):
    count = len(records)
    boxes = [np.array([[1, 2, 3, 4]], np.float32)] * count
    sizes = np.tile(np.array([40, 30], np.int32), (count, 1))
    ids = [f"frame {record}" for record in records]
    return Truth(np.array(records), ids, np.zeros(count, np.int32), sizes, boxes)


def test_a_source_sees_the_frame_and_its_shot_and_nothing_else_changes(split, monkeypatch):
    def shades(frame, neighbours):
        near = [other for distance in (1, 2, 3) for other in neighbours(distance)]
        found = [frame, *near]
        return np.array([[round(x.mean() / 10), 0, 0, 0] for x in found], np.float32)

    monkeypatch.setitem(PSEUDO_BOXES, "shades", shades)
    truth = truth_of([4, 2, 3])
    found = pseudo_truth(split, truth, "shades")
    assert [boxes[:, 0].tolist() for boxes in found.boxes] == [[4, 5, 6], [2, 1, 0], [3]]
    assert found.ids == truth.ids and found.records is truth.records


def test_motion_leaves_a_shot_of_one_frame_without_a_box(split):
    found = pseudo_truth(split, truth_of([3]), "motion")
    assert [boxes.shape for boxes in found.boxes] == [(0, 4)] and not found.has_boxes


def test_a_damaged_neighbour_is_named(split):
    with pytest.raises(InputError, match="record 7 of grey validation .*cannot be decoded"):
        pseudo_truth(split, truth_of([8]), "motion")


def test_without_boxes_is_the_same_but_for_them():
    truth = truth_of([0, 1])
    bare = without_boxes(truth)
    assert truth.has_boxes and not bare.has_boxes
    assert [boxes.shape for boxes in bare.boxes] == [(0, 4)] * 2 and bare.ids == truth.ids


def test_boxes_of_maps_are_those_of_otsu_s_level_and_come_back_whole():
    truth = truth_of([0, 1, 2])._replace(sizes=np.array([[40, 30], [1280, 720], [33, 500]]))
    boxes = np.zeros((3, 256, 4), np.int32)
    levels = np.array([5, 100, 7])
    boxes[0, 5], boxes[1, 100] = [0, 3, 79, 40], [7, 11, 13, 79]
    boxes[0, 6] = boxes[1, 99] = [1, 1, 2, 2]
    nothing = np.zeros(3, np.int32)
    answers = MapAnswers(boxes, nothing, {"otsu": levels}, {}, np.zeros((3, 256)))
    scores = SplitScores(np.zeros((3, 2)), {("layercam", "truth"): answers}, None)
    found = truth_of_maps(truth, scores, "layercam", 80)
    assert [len(of) for of in found.boxes] == [1, 1, 0]  # a map without a region has none
    for index, level in ((0, 5), (1, 100)):
        width, height = truth.sizes[index]
        again = scale_boxes(found.boxes[index], int(width), int(height), 80)
        np.testing.assert_array_equal(again[0], boxes[index, level])
