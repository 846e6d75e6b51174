"""The sliders: in a browser, where there is one, the boxes are those of evaluation."""

import json

import cv2
import numpy as np
import pytest
from PIL import Image

from tcam_jax.data.truth import Truth
from tcam_jax.evaluate.boxes import largest_box
from tcam_jax.evaluate.corloc import TAUS_VALIDATION
from tcam_jax.evaluate.split import scaled_truth
from tcam_jax.report.page import Summary, render
from tcam_jax.report.thresholds import slider_of, thresholds_section, view_of
from tests.report.look import BOXES, DRAWN, SIZES, SLIDERS, browser, complaints, find_browser, look
from tests.report.test_page import check_page

needs_browser = pytest.mark.skipif(find_browser() is None, reason="no Chromium is installed")
SIZE, WIDTH, HEIGHT = 40, 90, 60
METHODS = ("layercam", "tcam")
TAU = {"layercam": 0.4, "tcam": 0.7013}


def _map(rng, smooth):
    noise = cv2.GaussianBlur(rng.random((SIZE, SIZE)).astype(np.float32), (0, 0), smooth)
    return np.floor(230 * (noise - noise.min()) / np.ptp(noise)).astype(np.uint8)


@pytest.fixture
def run():
    """Maps from blobs to noise, and what evaluation says of them; one frame has an empty map."""
    rng = np.random.default_rng(3)
    levels = [{method: _map(rng, smooth) for method in METHODS} for smooth in (0.3, 1, 2, 4, 8)]
    levels.append({method: np.zeros((SIZE, SIZE), np.uint8) for method in METHODS})
    count = len(levels)
    truth = Truth(
        records=np.arange(count),
        ids=[f"cat/v/s/{i}.jpg" for i in range(count)],
        labels=np.arange(count, dtype=np.int32) % 2,
        sizes=np.tile([WIDTH, HEIGHT], (count, 1)).astype(np.int32),
        boxes=[np.array([[20.0, 10.0, 70.0, 50.0]], np.float32)] * count,
    )
    return truth, levels, dict(TAU)


def _section(truth, levels, tau):
    curve = TAUS_VALIDATION.round(3).tolist()
    corloc = dict.fromkeys(METHODS, [100 * t for t in curve])
    results = {
        "split": "test",
        "classes": ["cat", "dog"],
        "tau": tau,
        "curves": {"tau": curve, "corloc": corloc} if truth.has_boxes else None,
    }
    lines = [
        {
            "id": truth.ids[i],
            "label": results["classes"][truth.labels[i]],
            "probabilities": {"cat": 0.7, "dog": 0.3},
            "boxes": {m: _box(levels[i][m], tau[m], m) * _scale() for m in METHODS},
            "iou": dict.fromkeys(METHODS, 0.6 if truth.has_boxes else None),
        }
        for i in range(len(levels))
    ]
    image = Image.new("RGB", (WIDTH, HEIGHT), "gray")
    images, maps = dict.fromkeys(range(len(levels)), image), dict(enumerate(levels))
    section = thresholds_section(range(len(levels)), lines, truth, images, maps, METHODS, results)
    return section, lines, results


def _box(u8, tau, method):
    return largest_box(u8, tau, method == "tcam")


def _scale():
    return np.array([WIDTH, HEIGHT, WIDTH, HEIGHT]) / SIZE


def _page(section):
    return render(Summary("title", "41.7", "explained", []), [section])


def test_a_view_begins_at_the_runs_threshold(run):
    truth, levels, tau = run
    section, lines, results = _section(truth, levels, tau)
    cam, tcam = (view_of(lines[2], truth, 2, levels[2][m], m, results) for m in METHODS)
    assert (tcam.level, tcam.peak) == (int(0.7013 * 255), 255)
    assert (cam.level, cam.peak) == (int(0.4 * levels[2]["layercam"].max()), 230)
    assert json.loads(cam.truth) == scaled_truth(truth, 2, SIZE).tolist()
    slider = slider_of(lines, results, "tcam")
    assert (slider.tau, slider.origin, slider.corloc) == (0.7013, "0.701, the run's", "100.0")
    assert len(json.loads(slider.curve)) == 250
    results["tau"]["tcam"] = None
    assert slider_of(lines, results, "tcam").origin == "Multi-Otsu's of each map"
    assert [group.title for group in section.groups] == ["", "cat", "dog"]
    page = check_page(_page(section))
    assert len(page.all("canvas")) == 12 and len(page.all("script")) == 1
    ids = {attributes["id"] for attributes in page.all("input") if "id" in attributes}
    assert {label["for"] for label in page.all("label") if "for" in label} == ids


@needs_browser
@pytest.mark.parametrize("device", SIZES)
@pytest.mark.parametrize("otsu", [False, True])
def test_the_boxes_in_the_browser_are_those_of_evaluation(run, tmp_path, device, otsu):
    truth, levels, tau = run
    if otsu:
        tau = dict.fromkeys(METHODS)
    section, lines, _ = _section(truth, levels, tau)
    (tmp_path / "page.html").write_text(_page(section))
    with browser() as tab:
        tab.resize(*SIZES[device], mobile=device == "telephone")
        tab.open((tmp_path / "page.html").as_uri())
        assert tab.value_of(DRAWN)
        predicted = {(x["id"], m): x["boxes"][m] for x in lines for m in METHODS}
        shown = tab.value_of(BOXES)
        assert len(shown) == len(predicted)
        for frame_id, method, box, _ in shown:
            assert np.abs(box * _scale() - predicted[frame_id, method]).max() <= 1
        at_first = tab.value_of(SLIDERS)
        assert "CorLoc 100.0 ·" in at_first[1]

        tab.value_of("document.getElementById('tau-tcam').focus()")
        for _ in range(25):  # by the keyboard, 0.004 each
            tab.press("ArrowLeft")
        moved = tab.value_of(
            "new Promise(requestAnimationFrame).then(() => new Promise(requestAnimationFrame))"
            ".then(() => document.getElementById('tau-tcam').valueAsNumber)"
        )
        start = 0.5 if otsu else 0.7
        assert moved == pytest.approx(start - 0.1)
        for frame_id, method, box, words in tab.value_of(BOXES):
            place = truth.ids.index(frame_id)
            at = moved if method == "tcam" else tau[method]
            assert box == _box(levels[place][method], at, method).tolist()
            assert words.startswith(f"{method} · IoU ")
        cam, tcam = tab.value_of(SLIDERS)
        assert cam == at_first[0]
        assert tcam.startswith(f"{moved:.3f} · CorLoc {100 * moved:.1f} · ")
        tab.value_of("document.querySelector('.slider:has(#tau-tcam) button').focus()")
        tab.press("Enter")
        tab.value_of(f"({DRAWN}).then(() => new Promise(requestAnimationFrame))")
        assert tab.value_of(SLIDERS) == at_first
        assert list(complaints(tab.events)) == []


@needs_browser
def test_without_boxes_it_is_sound_and_says_no_corloc(run, tmp_path):
    truth, levels, tau = run
    truth = truth._replace(boxes=[np.zeros((0, 4), np.float32)] * len(levels))
    section, _, _ = _section(truth, levels, dict.fromkeys(tau))
    (tmp_path / "page.html").write_text(_page(section))
    assert look(tmp_path / "page.html", tmp_path) == []
    with browser() as tab:
        tab.open((tmp_path / "page.html").as_uri())
        assert tab.value_of(DRAWN)
        assert tab.value_of(SLIDERS) == ["Otsu's of each map", "Multi-Otsu's of each map"]
        assert all("IoU" not in words for *_, words in tab.value_of(BOXES))
