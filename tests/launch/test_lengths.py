"""A run in pieces: planned, the classifier alone, then longer, then TCAM on it."""

import json

import numpy as np
import pytest

import tcam_jax
from configs import demo
from tcam_jax.evaluate.results import find_row
from tcam_jax.predict import exported
from tcam_jax.predict.predictor import Predictor
from tcam_jax.runs.exchange import export_model
from tcam_jax.train.logs import read_metrics
from tests.commands.alone import load_alone
from tests.launch.conftest import TINY
from tests.report.test_page import check_page


def test_a_dry_run_says_how_long_and_writes_nothing(launch, shapes_data, tmp_path):
    data = f"--config.dataset.data_dir={shapes_data}"
    asked = ("--config.tcam.epochs=0", "--config.tcam.passes=2", "--config.seed=7")
    workdir = tmp_path / "run"
    done = launch("train", *TINY, data, *asked, "--dry_run", f"--workdir={workdir}")
    table = np.load(next(shapes_data.rglob("index.npz")))
    frames, shots = len(table["train/label"]), len(table["train/start"])
    assert f"training data: {frames} frames in {shots} shots" in done.stdout
    steps = -(-shots // 8)
    assert f"classifier: {2 * steps} steps of 8 frames, 2 epochs of {steps} step" in done.stdout
    assert f"tcam: {-(-2 * frames // 8)} steps of 8 frames" in done.stdout
    assert "a frame is shown 2 times on average" in done.stdout
    assert "from random weights it needs some 6000 or more" in done.stdout
    assert not workdir.exists()
    wrong = launch("train", *TINY, data, "--config.tcam.steps=3", "--dry_run", status=2)
    assert "config.tcam: exactly one of epochs, steps, examples, passes" in wrong.stderr


@pytest.mark.slow
def test_the_classifier_alone_then_longer_then_tcam(
    shapes_data, tmp_path, small_encoder, monkeypatch
):
    config = demo.get_config()
    config.dataset.data_dir, config.parallel = str(shapes_data), "jit"
    config.dataset.resize, config.dataset.crop, config.model.encoder = 36, 32, small_encoder
    for section in (config.classifier, config.tcam):
        section.epochs, section.batch_size = 0, 8
    config.model.decoder_width = 0.25
    config.eval.batch_size, config.eval.every = 8, "2 steps"
    config.classifier.steps, config.eval.map = 3, "probability"
    alone = tcam_jax.train_and_evaluate(config, tmp_path / "run")
    assert {row["method"] for row in alone["rows"]} == {
        "cam",
        "layercam",
        "centre_box",
        "whole_frame",
    }
    frames = np.random.default_rng(0).integers(0, 256, (2, 40, 50, 3), np.uint8)
    model = tcam_jax.load(tmp_path / "run")
    (first, second) = model.predict(frames)
    assert first.map.shape == (32, 32) and first.map.min() == 0 < first.map.max()
    (other, *_) = {*alone["classes"]} - {first.class_name}
    for name, same in ((first.class_name, True), (other, False)):
        of_class = tcam_jax.load(tmp_path / "run", class_name=name).predict(frames[0])
        assert np.array_equal(of_class[0].map, first.map) == same
    export_model(tmp_path / "run", tmp_path / "model")
    predictor = Predictor(**exported.load(tmp_path / "model")._asdict())
    assert np.abs(predictor.predict(frames[1])[0].map.astype(int) - second.map).max() <= 1
    report, values = load_alone(monkeypatch, "tcam_jax/commands/report")
    values(["report", f"--workdir={tmp_path / 'run'}"])
    report.main()
    check_page((tmp_path / "run" / "report.html").read_text())

    config.classifier.steps = 5
    tcam_jax.train_and_evaluate(config, tmp_path / "run")
    lines = read_metrics(tmp_path / "run" / "classifier" / "metrics.jsonl")
    validated = [line["step"] for line in lines if "validation_accuracy" in line]
    assert validated == [0, 2, 3, 4, 5]
    config.tcam.steps = 2
    whole = tcam_jax.train_and_evaluate(config, tmp_path / "run")
    assert find_row(whole, "tcam_probability", "otsu")["corloc"] is not None
    assert json.loads((tmp_path / "run" / "config.json").read_text())["tcam"]["steps"] == 2
    report.main()
    assert "tcam_probability" in check_page((tmp_path / "run" / "report.html").read_text()).text
    config.tcam.steps = 1
    with pytest.raises(tcam_jax.InputError, match="for 2 steps, and config.tcam now says 1"):
        tcam_jax.train_and_evaluate(config, tmp_path / "run")
