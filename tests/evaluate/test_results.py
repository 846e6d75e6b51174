import json

import numpy as np
import pytest

from tcam_jax.data.truth import Truth
from tcam_jax.errors import InputError
from tcam_jax.evaluate.corloc import Localisation
from tcam_jax.evaluate.results import (
    find_row,
    fixed_box_rows,
    method_rows,
    read_results,
    write_results,
)
from tcam_jax.report.table import results_table

TAUS = np.array([0.0, 0.1, 0.2])


def _localisation(hits):
    return Localisation(np.array(hits, bool), np.array([0, 0, 1]), TAUS)


def _truth(boxes):
    return Truth(
        records=np.arange(len(boxes)),
        ids=[f"c/v/s/{i}.jpg" for i in range(len(boxes))],
        labels=np.array([0, 0, 1][: len(boxes)]),
        sizes=np.tile(np.int32([[200, 100]]), (len(boxes), 1)),
        boxes=[np.array(box, np.float32).reshape(-1, 4) for box in boxes],
    )


def test_threshold_from_validation_and_from_test_are_told_apart():
    validation = _localisation([[0, 1, 0], [0, 1, 0], [0, 0, 0]])  # best: 0.1
    test = _localisation([[1, 0, 1], [0, 0, 1], [1, 1, 1]])  # best: 0.2
    val_row, test_row = method_rows("cam", "here", validation, test, num_classes=3)
    assert (val_row["threshold"], val_row["tau"]) == ("val", 0.1)
    assert val_row["per_class"] == [0.0, 100.0, None]
    assert val_row["corloc"] == 50.0  # mean over the classes that have frames
    assert val_row["corloc_frames"] == pytest.approx(100 / 3)
    assert (test_row["threshold"], test_row["tau"], test_row["corloc"]) == ("test", 0.2, 100.0)


def test_without_boxes_everything_is_unknown():
    for row in method_rows("cam", "here", None, None, num_classes=2):
        assert row["corloc"] is row["tau"] is None and row["per_class"] == [None, None]
    for row in fixed_box_rows(_truth([[], []]), size=64, num_classes=2):
        assert row["corloc"] is None


def test_fixed_boxes_by_hand():
    # Frames of 200 x 100 pixels: the quarter in the middle, everything, and a corner.
    truth = _truth([[50, 25, 149, 74], [0, 0, 199, 99], [0, 0, 20, 10]])
    centre, whole = fixed_box_rows(truth, size=64, num_classes=2)
    assert centre["method"] == "centre_box" and centre["per_class"] == [50.0, 0.0]
    assert whole["method"] == "whole_frame" and whole["per_class"] == [50.0, 0.0]


def test_written_read_found_and_shown(tmp_path):
    rows = method_rows("tcam", "here", _localisation([[1, 1, 1]] * 3), None, 2)
    results = {
        "dataset": "d",
        "split": "test",
        "frames": 3,
        "classes": ["cat", "dog"],
        "rows": rows,
        "classification": {"tcam/best": 75.0},
    }
    write_results(tmp_path / "results.json", results)
    read = read_results(tmp_path)
    assert find_row(read, "tcam", "val") == rows[0]
    assert "| tcam | τ from validation | 0.000 | – | – | – |" in results_table(read)
    with pytest.raises(KeyError, match="no row 'cam'"):
        find_row(read, "cam", "val")
    (tmp_path / "results.json").write_text(json.dumps({"schema": 99}))
    with pytest.raises(InputError, match="schema 99"):
        read_results(tmp_path)
