"""Which frames are shown, and what is said of failures."""

import json

import numpy as np
import pytest
from PIL import Image

from tcam_jax.data.truth import Truth
from tcam_jax.report.gallery import choose, failure_of, figure, read_lines
from tcam_jax.runtime.errors import InputError

TRUE_BOX = np.array([[20.0, 20.0, 60.0, 60.0]])


def line(box, iou, label="cat", guess="cat", frame_id="cat/v/s/1.jpg"):
    probabilities = {"cat": 0.1, "dog": 0.2} | {guess: 0.8}
    boxes, ious = {"tcam": box, "cam": [0, 0, 10, 10]}, {"tcam": iou, "cam": 0.0}
    return {
        "id": frame_id, "label": label, "probabilities": probabilities, "boxes": boxes, "iou": ious
    }  # fmt: skip


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (line([20, 20, 60, 60], 1.0), None),
        (line([0, 0, 100, 100], 0.16), "too large"),
        (line([30, 30, 40, 40], 0.06), "too small"),
        (line([61, 61, 90, 90], 0.0), "elsewhere"),
        (line([40, 20, 80, 60], 0.33), "beside"),
        (line([20, 20, 60, 60], 1.0, guess="dog"), "wrong class"),
    ],
)
def test_failures_by_kind(found, kind):
    assert failure_of(found, TRUE_BOX, "tcam") == kind


def test_without_true_boxes_only_the_class_can_be_wrong():
    none = np.zeros((0, 4))
    assert failure_of(line([0, 0, 1, 1], None), none, "tcam") is None
    assert failure_of(line([0, 0, 1, 1], None, guess="dog"), none, "tcam") == "wrong class"


def _truth(labels):
    count = len(labels)
    return Truth(
        records=np.arange(count),
        ids=[f"cat/v/s/{i}.jpg" for i in range(count)],
        labels=np.array(labels, np.int32),
        sizes=np.full((count, 2), 100, np.int32),
        boxes=[TRUE_BOX] * count,
    )


def test_best_worst_and_some_of_every_class():
    ious = [0.9, 0.1, None, 0.5, 0.7, 0.3, 0.6, 0.2, 0.8, 0.4, 0.95, 0.05, 0.55, 0.45]
    lines = [line([40, 20, 80, 60], iou) for iou in ious]
    chosen = choose(lines, _truth([0] * 10 + [1] * 4), "tcam", per_class=3)
    assert chosen.best == [10, 0, 8, 4, 6, 12]
    assert chosen.worst == [11, 1, 7, 5, 9, 13]
    assert chosen.of_classes == [0, 4, 9, 10, 11, 13]
    assert chosen.failures["beside"] == [1, 5, 7, 9, 13] and chosen.failures["elsewhere"] == [11]
    assert set(chosen.shown()) >= {*chosen.best, *chosen.worst, *chosen.of_classes}


def test_without_boxes_the_most_and_least_certain_of_each_shot():
    sure = [0.9, 0.95, 0.6, 0.5, 0.7, 0.4]
    lines = [line([0, 0, 9, 9], None, frame_id=f"cat/v/{i // 2}/{i}.jpg") for i in range(6)]
    for found, value in zip(lines, sure, strict=True):
        found["probabilities"]["cat"] = value
    chosen = choose(lines, _truth([0] * 6), "tcam", per_class=1)
    assert chosen.best == [1, 4, 2] and chosen.worst == [5, 3, 0]


def test_of_many_classes_no_more_frames_than_the_page_holds():
    lines = [line([0, 0, 9, 9], 0.5) for _ in range(120)]
    for classes in (20, 60):
        labels = [i % classes for i in range(120)]
        shown = choose(lines, _truth(labels), "tcam", per_class=5).of_classes
        assert len(shown) == 40 and len({labels[i] for i in shown}) == min(classes, 40)


def test_predictions_of_other_frames_are_refused(tmp_path):
    def read(*lines, content=None):
        text = "".join(json.dumps(one) + "\n" for one in lines) if content is None else content
        (tmp_path / "predictions.jsonl").write_text(text)
        return read_lines(tmp_path, _truth([0]), ("cat", "dog"), ("tcam", "cam"))

    with pytest.raises(InputError, match=r"tcam evaluate"):
        read_lines(tmp_path, _truth([0]), ("cat", "dog"), ("tcam", "cam"))
    whole = line([0, 0, 9, 9], 0.5, frame_id="cat/v/s/0.jpg")
    assert read(whole) == [whole]
    for changed, told in (
        ({"id": "cat/v/s/7.jpg"}, "a line for each evaluated frame"),
        ({"label": "dog"}, "line 1 has other classes than results.json"),
        ({"probabilities": {"dog": 1, "cat": 0}}, "line 1 has other classes"),
        (
            {"probabilities": {"cat": 2, "dog": 0}},
            r"probabilities\['cat'\] must be a num",
        ),
        ({"boxes": {"tcam": [0, 0, 1, 1]}}, "line 1 lacks boxes or iou of cam"),
        ({"boxes": {"tcam": [0, 0, 1], "cam": []}}, r"boxes\['tcam'\] must be a list of 4"),
        ({"iou": {"tcam": "x"}}, r"iou\['tcam'\] must be a number from 0 to 1 or null"),
    ):
        with pytest.raises(InputError, match=rf"predictions\.jsonl .*{told}.*tcam evaluate"):
            read(whole | changed)
    for content, told in (("", "a line for"), (json.dumps(whole), "no end"), ("{\n", "line 1: ")):
        with pytest.raises(InputError, match=told):
            read(content=content)


def test_a_figure_says_what_it_shows():
    image = Image.new("RGB", (400, 300), "gray")
    levels = np.eye(8, dtype=np.uint8)
    found = figure(line([40, 20, 80, 60], 0.33), image, levels, TRUE_BOX, "tcam", 0.5)
    assert found.caption == "tcam: cat → cat 80 %, IoU 0.33"
    assert "cat/v/s/1.jpg" in found.alt and "1 true boxes" in found.alt
    assert found.uri.startswith("data:image/jpeg;base64,")
    assert found.width == 2 * 288 + 4 and found.height == 216
