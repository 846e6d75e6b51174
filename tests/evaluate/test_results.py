import json

import numpy as np
import pytest

from tcam_jax.data.truth import Truth
from tcam_jax.evaluate.protocols import Judgement, protocol_rows
from tcam_jax.evaluate.results import (
    find_row,
    fixed_box_rows,
    read_results,
    tau_of,
    write_results,
)
from tcam_jax.evaluate.threshold_rules import THRESHOLD_RULES
from tcam_jax.report.results_tables import headline_table
from tcam_jax.report.table import to_markdown
from tcam_jax.runtime.errors import InputError


def judgement(overlaps: dict[int, list[float]], labels, ranks=(0, 0, 0)) -> Judgement:
    """Frames whose IoU is 0 but at the levels given; the peaks are 250, so tau 0.004 is level 1."""
    rows = np.zeros((len(labels), 256))
    for level, column in overlaps.items():
        rows[:, level] = column
    count = len(labels)
    return Judgement(
        overlaps={"largest": rows, "all": np.maximum(rows, 0.6)},
        peaks=np.full(count, 250),
        levels=dict.fromkeys(THRESHOLD_RULES, np.full(count, 7)),
        labels=np.array(labels),
        ranks=np.array(ranks[:count]),
        videos=np.arange(count),
    )


def _rows(validation, test, classes=("a", "b", "c"), method="cam"):
    origin = {"method": method, "checkpoint": "here", "class_from": "truth"}
    return {"rows": [origin | row for row in protocol_rows(validation, test, classes, method)]}


def _truth(boxes):
    return Truth(
        records=np.arange(len(boxes)),
        ids=[f"c/v/s/{i}.jpg" for i in range(len(boxes))],
        labels=np.array([0, 0, 1][: len(boxes)]),
        sizes=np.tile(np.int32([[200, 100]]), (len(boxes), 1)),
        boxes=[np.array(box, np.float32).reshape(-1, 4) for box in boxes],
    )


def test_every_threshold_by_hand():
    labels = [0, 0, 1]
    # Best for all, and for class 0: level 25. Class 1 is found at level 50 alone.
    validation = judgement({25: [0.9, 0.9, 0.0], 50: [0.9, 0.0, 0.9]}, labels)
    test = judgement(
        {25: [0.9, 0.0, 0.0], 50: [0.0, 0.0, 0.9], 75: [0.4, 0.6, 0.6], 7: [0.8, 0, 0]}, labels
    )
    rows = _rows(validation, test)
    expected = {  # (tau, CorLoc of class 0, of class 1)
        "val": (0.1, 50.0, 0.0),
        "test": (0.3, 50.0, 100.0),
        "val_per_class": ({"a": 0.1, "b": 0.2, "c": 0.1}, 50.0, 100.0),
        # 7, 25 and 75 are equal for class 0: the smallest tau; no test frame of c: the common one.
        "test_per_class": ({"a": 0.028, "b": 0.2, "c": 0.3}, 50.0, 100.0),
        "fixed": (0.2, 0.0, 100.0),  # level 50
        "otsu": (None, 50.0, 0.0),  # level 7
    }
    for threshold, (tau, first, second) in expected.items():
        row = find_row(rows, "cam", threshold)
        assert row["tau"] == (pytest.approx(tau) if tau else tau), threshold
        assert row["per_class"] == [first, second, None], threshold
        assert row["corloc"] == (first + second) / 2  # over the classes that have frames
        assert row["corloc_frames"] == pytest.approx((2 * first + second) / 3)
        assert row["interval"] is None  # there is one video of class 1


def test_intervals_where_every_class_has_two_videos():
    test = judgement({50: [0.9, 0.0, 0.9, 0.0]}, [0, 0, 1, 1], ranks=(0, 0, 0, 0))
    for row in _rows(None, test)["rows"]:
        if (row["threshold"], row["iou"], row["regions"]) == ("fixed", 0.5, "largest"):
            assert row["corloc"] == 50 and row["interval"] == [0, 100]


def test_ious_regions_and_classes_by_hand():
    test = judgement({0: [0.4, 0.6, 0.8]}, [0, 0, 1], ranks=(0, 1, 5))
    rows = _rows(None, test)

    def corloc(**protocol):
        return find_row(rows, "cam", "test", **protocol)["per_class"][:2]

    assert corloc(iou=0.3) == [100.0, 100.0]
    assert corloc(iou=0.5) == [50.0, 100.0]
    assert corloc(iou=0.7) == [0.0, 100.0]
    assert corloc(iou="mean") == [50.0, 100.0]
    assert corloc(regions="all") == [100.0, 100.0]  # 0.6 at least
    assert corloc(iou=0.3, localisation="top1") == [50.0, 0.0]
    assert corloc(iou=0.3, localisation="top5") == [100.0, 0.0]
    # Nothing to choose tau by: only what needs no validation is known.
    for threshold in ("val", "val_per_class"):
        row = find_row(rows, "cam", threshold)
        assert row["tau"] is row["corloc"] is row["interval"] is None
    with pytest.raises(InputError, match="no row 'cam'"):
        find_row(rows, "cam", "test", class_from="prediction")


def test_without_boxes_everything_is_unknown():
    for row in _rows(None, None)["rows"]:
        assert row["corloc"] is row["interval"] is None and row["per_class"] == [None] * 3
    for row in fixed_box_rows(_truth([[], []]), size=64, num_classes=2):
        assert row["corloc"] is None


def test_fixed_boxes_by_hand():
    # Frames of 200 x 100 pixels: the quarter in the middle, everything, and a corner.
    truth = _truth([[50, 25, 149, 74], [0, 0, 199, 99], [0, 0, 20, 10]])
    results = {"rows": fixed_box_rows(truth, size=64, num_classes=2)}
    for method in ("centre_box", "whole_frame"):
        assert find_row(results, method, None)["per_class"] == [50.0, 0.0]


def _whole_results(rows):
    return {
        "dataset": "d",
        "config": "default",
        "split": "test",
        "frames": 3,
        "boxes": 3,
        "videos": 2,
        "classes": ["cat", "dog"],
        "rows": rows,
        "curves": {"tau": [0.1, 0.2], "corloc": {"tcam": [50.0, 25.0]}},
        "classification": {"tcam/best": 75.0},
        "tau": {"tcam": 0.1, "cam": None},
        "seconds_per_frame": {"tcam/best": None},
    }


def test_written_read_found_and_shown(tmp_path):
    rows = _rows(judgement({25: [1, 1, 1]}, [0, 0, 1]), None, ["cat", "dog"], "tcam")["rows"]
    results = _whole_results(rows)
    write_results(tmp_path / "results.json", results)
    read = read_results(tmp_path)
    assert read["rows"] == rows and find_row(read, "tcam", "val") == rows[1]
    assert "Otsu's" not in to_markdown(headline_table(read, ["tcam"]))  # nothing is known
    with pytest.raises(InputError, match=r"no row 'cam' .*; there are those of \['tcam'\]"):
        find_row(read, "cam", "val")
    assert tau_of(read, "tcam", tmp_path) == 0.1 and tau_of(read, "cam", tmp_path) is None
    with pytest.raises(InputError, match=r"results.json must have a threshold tau of 'layercam'"):
        tau_of(read, "layercam", tmp_path)
    (tmp_path / "results.json").write_text(json.dumps({"schema": 99}))
    with pytest.raises(InputError, match="schema 99"):
        read_results(tmp_path)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda results: results.pop("boxes"), "it lacks boxes"),
        (lambda results: results.update(frames="3"), "frames must be a whole number; it is '3'"),
        (lambda results: results.update(frames=-3), "frames must be a whole number, 0 or more"),
        (lambda results: results.update(classes="cat"), "classes must be a list"),
        (lambda results: results.update(classes=["cat", "cat"]), "cannot be told from 'cat'"),
        (
            lambda results: results.update(tau={"tcam": 80}),
            r"tau\['tcam'\] must be a number",
        ),
        (lambda results: results.update(tau=[0.1]), "tau must be an object"),
        (lambda results: results["rows"][0].pop("corloc"), r"rows\[0\] lacks corloc"),
        (
            lambda results: results["rows"][1].update(corloc=True),
            r"rows\[1\].corloc must be",
        ),
        (
            lambda results: results["rows"][1].update(per_class=[1]),
            "per_class must have",
        ),
        (lambda results: results["rows"][1].update(interval=[1]), "interval must be a list of 2"),
        (lambda results: results["curves"].update(tau=[0.1]), "curves.corloc.'tcam'. must have"),
        (lambda results: results["classification"].update(x=None), "classification.'x'. must be"),
    ],
)
def test_damaged_results_are_one_error(tmp_path, damage, told):
    rows = _rows(judgement({25: [1, 1, 1]}, [0, 0, 1]), None, ["cat", "dog"], "tcam")["rows"]
    results = {"schema": 3, **_whole_results(rows)}
    damage(results)
    (tmp_path / "results.json").write_text(json.dumps(results))
    with pytest.raises(InputError, match=rf"results\.json.*{told}") as error:
        read_results(tmp_path)
    assert "Make it anew with `tcam evaluate" in str(error.value) or "rename" in str(error.value)
