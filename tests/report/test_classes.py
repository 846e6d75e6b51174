"""Accuracy, confusions and areas by hand."""

import numpy as np

from tcam_jax.data.truth import Truth
from tcam_jax.report.classes import (
    LARGEST_MATRIX,
    accuracy_of,
    area_table,
    class_table,
    commonest_share,
    confusion_table,
)

CLASSES = ["cat", "dog", "emu"]


def _line(label, guess, box=(0, 0, 10, 10), classes=CLASSES):
    probabilities = dict.fromkeys(classes, 0.1) | {guess: 0.8}
    return {"id": "i", "label": label, "probabilities": probabilities, "boxes": {"tcam": list(box)}}


LINES = [
    _line("cat", "cat"),
    _line("cat", "cat", (0, 0, 100, 50)),
    _line("cat", "dog", (0, 0, 0, 0)),
    _line("dog", "dog", (0, 0, 50, 50)),
]


def test_accuracies():
    assert accuracy_of(LINES) == commonest_share(LINES) == 75.0
    table = class_table(LINES, CLASSES)
    assert table.rows == [
        ["cat", "dog (1)", "3", "66.7", "80.0"],
        ["dog", "–", "1", "100.0", "80.0"],
        ["emu", "–", "0", "–", "–"],
        ["all", "", "4", "75.0", "80.0"],
    ]


def test_the_matrix_has_a_row_a_true_class():
    table = confusion_table(LINES, CLASSES)
    assert table.heat and list(table.header) == ["true class", *CLASSES]
    assert table.rows == [
        ["cat", "67", "33", "0"],
        ["dog", "0", "100", "0"],
        ["emu", "0", "0", "0"],
    ]


def test_of_many_classes_the_confusions_are_listed():
    many = [f"class {i}" for i in range(LARGEST_MATRIX + 1)]
    lines = [_line(many[0], many[1], classes=many)] * 3 + [_line(many[2], many[2], classes=many)]
    table = confusion_table(lines, many)
    assert not table.heat and table.rows == [[many[0], many[1], "3", "100.0"]]


def test_areas_are_shares_of_the_frame():
    truth = Truth(
        records=np.arange(4),
        ids=["i"] * 4,
        labels=np.array([0, 0, 0, 1], np.int32),
        sizes=np.tile([100, 50], (4, 1)).astype(np.int32),
        boxes=[np.zeros((0, 4), np.float32)] * 4,
    )
    table = area_table(LINES, truth, CLASSES, ["tcam"])
    assert list(table.header) == ["class", "tcam: median", "10 to 90 %", "none", "all of it"]
    assert table.rows == [
        ["cat", "2.0", "0 to 80", "1", "1"],
        ["dog", "50.0", "50 to 50", "0", "0"],
        ["emu", "–", "–", "0", "0"],
        ["all", "26.0", "1 to 85", "1", "1"],
    ]
    boxed = truth._replace(boxes=[np.array([[0, 0, 50, 10], [0, 0, 5, 5.0]], np.float32)] * 4)
    table = area_table(LINES, boxed, CLASSES, ["tcam"])
    assert [row[1] for row in table.rows] == ["10.0", "10.0", "–", "10.0"]
