"""A whole small run through the commands, and what it leaves behind."""

import json
import re
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

import tcam_jax
from tcam_jax.config.record import load_config
from tcam_jax.data.shot_table import load_table
from tcam_jax.evaluate.maps import OF_ALL_CLASSES
from tcam_jax.evaluate.protocols import thresholds_of
from tcam_jax.evaluate.results import find_row, read_results
from tcam_jax.models.tcam import CLASSIFIER_PARTS, LOCALISER_PARTS, variable_shapes
from tcam_jax.runs.exchange import export_model
from tcam_jax.runtime.errors import InputError
from tcam_jax.train.initial import load_weights
from tcam_jax.train.stages import make_model
from tests.launch.conftest import TINY
from tests.report.test_page import check_page


@pytest.fixture(scope="module")
def run(tmp_path_factory, trained) -> Path:
    return shutil.copytree(trained, tmp_path_factory.mktemp("runs") / "run")


@pytest.mark.slow
def test_results_hold_every_method_under_every_protocol(run):
    results = json.loads((run / "results.json").read_text())
    assert results["schema"] == 3 and results["split"] == "test"
    fixed = [row for row in results["rows"] if row["threshold"] is None]
    assert [row["method"] for row in fixed] == ["centre_box"] * 4 + ["whole_frame"] * 4
    names = ("method", "class_from", "threshold", "regions", "iou", "localisation")
    rows = {tuple(row[name] for name in names): row for row in results["rows"]}
    thresholds = 3 * 6 + len(thresholds_of("tcam"))
    assert len(rows) == len(results["rows"]) == 8 + 2 * thresholds * 2 * 4 * 3
    for row in results["rows"]:
        assert len(row["per_class"]) == len(results["classes"]) == 10
        np.testing.assert_allclose(row["corloc"], np.mean(row["per_class"]))
        assert row["interval"] is None  # a class of the split has a single video
    for (method, whose, threshold, *rest), row in rows.items():
        if threshold == "val":  # the best threshold on test cannot be worse, nor one a class
            best = rows[method, whose, "test", *rest]["corloc_frames"]
            assert row["corloc_frames"] <= best
            assert best <= rows[method, whose, "test_per_class", *rest]["corloc_frames"] + 1e-9
        if method in OF_ALL_CLASSES:  # its map is that of all classes
            assert row["corloc"] == rows[method, "truth", threshold, *rest]["corloc"]
    curve = results["curves"]["corloc"]["tcam"]
    assert len(curve) == len(results["curves"]["tau"]) == 250
    lines = [json.loads(line) for line in (run / "predictions.jsonl").read_text().splitlines()]
    assert len(lines) == results["frames"]
    for line in lines:
        assert (
            set(line["boxes"])
            == set(line["iou"])
            == {
                "cam",
                "layercam",
                "tcam",
                "tcam_probability",
            }
        )
        np.testing.assert_allclose(sum(line["probabilities"].values()), 1, rtol=1e-4)


@pytest.mark.slow
def test_evaluate_writes_another_splits_results_beside(run, launch):
    """That it writes the same again: tests/test_public_api.py."""
    before = (run / "results.json").read_text()
    other = launch("evaluate", f"--workdir={run}", "--split=validation")
    assert "τ maximised on validation" in other.stdout
    assert other.stdout.endswith(f"results: {run / 'results_validation.json'}\n")
    assert json.loads((run / "results_validation.json").read_text())["split"] == "validation"
    assert (run / "results.json").read_text() == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "names", "validation"),
    [
        ("classifier", {"loss", "learning_rate", "train_accuracy"}, "validation_corloc_layercam"),
        (
            "tcam",
            {"loss", "loss_partial_ce", "loss_crf", "loss_size", "learning_rate", "barrier_t"},
            "validation_corloc_tcam",
        ),
    ],
)
def test_tensorboard_shows_numbers_and_the_maps_of_fixed_frames(run, stage, names, validation):
    import tensorflow as tf  # its own reader of what tensorboardX writes

    seen, pictures = {}, {}
    for file in sorted((run / stage / "tensorboard").iterdir()):
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            for value in event.summary.value:
                if value.HasField("image"):
                    picture = tf.io.decode_png(value.image.encoded_image_string).numpy()
                    pictures[event.step] = picture
                else:
                    seen.setdefault(value.tag, []).append(event.step)
    lines = [json.loads(line) for line in (run / stage / "metrics.jsonl").read_text().splitlines()]
    assert names | {"validation_accuracy", validation} <= set(seen)
    assert ("validation_foreground" in seen) == (stage == "tcam")
    validated = [line["step"] for line in lines if validation in line]
    assert list(pictures) == seen[validation] == validated and len(validated) == 3
    first, *_, last = pictures.values()
    # Two frames a row, each beside its map: the frames stay, the maps of a trained network change.
    width, gap = first.shape[1] // 2, 4
    frame = slice(0, (width - gap) // 2)
    np.testing.assert_array_equal(first[:, frame], last[:, frame])
    assert (first[:, frame.stop + gap : width] != last[:, frame.stop + gap : width]).any()


@pytest.mark.slow
def test_another_config_in_the_same_workdir_is_refused(run, shapes_data, launch):
    data = f"--config.dataset.data_dir={shapes_data}"
    done = launch("train", *TINY, data, f"--workdir={run}", status=2)
    assert "tcam.window.n: 3 there, 1 now" in done.stderr
    dry = launch("train", *TINY, data, f"--workdir={run}", "--dry_run", status=2)
    assert "tcam.window.n: 3 there, 1 now" in dry.stderr
    done = launch("ablate", *TINY, data, f"--workdir={run}", "--tables=losses", status=2)
    assert "holds a run; a sweep needs a folder of its own" in done.stderr


@pytest.mark.slow
def test_library_predicts_like_the_evaluation(run, shapes_data):
    lines = [json.loads(line) for line in (run / "predictions.jsonl").read_text().splitlines()]
    from tcam_jax.data.records import open_split

    split = open_split(shapes_data, "moving_shapes", "default", "test")
    by_id = {example["frame_id"]: example for example in split.read(range(len(split.source)))}
    frames = []
    for line in lines:
        path = Path(run / "frame.jpg")
        path.write_bytes(by_id[line["id"]]["image"])
        frames.append(np.asarray(Image.open(path)))
    model = tcam_jax.load(run)
    predictions = model.predict(frames)
    for line, prediction in zip(lines, predictions, strict=True):
        assert prediction.class_name == max(line["probabilities"], key=line["probabilities"].get)
        # Pillow's and TensorFlow's resized frames differ by at most one level of 255.
        np.testing.assert_allclose(
            prediction.probability, line["probabilities"][prediction.class_name], atol=0.05
        )
    with pytest.raises(InputError, match=r"uint8 \[h, w, 3\]; got float64"):
        model.predict([np.zeros((8, 8, 3))])


@pytest.mark.slow
def test_another_map_is_exported(run, launch, tmp_path):
    """Scored by the run's evaluation or not."""
    for name, tau in (("probability", read_results(run)["tau"]["tcam_probability"]), ("crf", None)):
        launch("export_model", f"--workdir={run}", f"--output={tmp_path / name}", f"--map={name}")
        assert tcam_jax.load(tmp_path / name).tau == tau
    assert tau is None and read_results(run)["tau"]["tcam_probability"] is not None


@pytest.mark.slow
def test_predict_and_report_commands(run, launch, tmp_path):
    rng = np.random.default_rng(0)
    for i, size in enumerate([(50, 80), (33, 31)]):
        image = Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8))
        image.save(tmp_path / f"{i} ü.png")
    launch("predict", f"--workdir={run}", f"--input={tmp_path}", f"--output={tmp_path / 'out'}")
    assert len((tmp_path / "out" / "predictions.jsonl").read_text().splitlines()) == 2
    assert len(list((tmp_path / "out" / "overlays").glob("* ü.jpg"))) == 2
    launch("benchmark_frames", f"--workdir={run}", "--batches=1", "--rounds=1")
    report = launch("report", f"--workdir={run}", "--per_class=1")
    table = [line for line in report.stdout.splitlines() if line.startswith("| ")]
    assert 4 < len(table) <= 2 + 8 and any("τ from validation" in row for row in table)
    page = check_page((run / "report.html").read_text())
    titles = [link["href"] for link in page.all("a")]
    # Its shots are too short for clips.
    frames = ["#thresholds", "#extremes", "#failures"]
    assert titles == ["#results", "#classes", *frames, "#curves", "#time"]
    results = read_results(run)
    score = f"{find_row(results, 'tcam', 'val')['corloc']:.1f}"
    assert score in page.text and "Milliseconds a frame" in " ".join(page.text)
    lines = (run / "report.csv").read_text().splitlines()
    assert len(lines) == 1 + len(results["rows"]) * (2 + len(results["classes"]))


@pytest.mark.slow
def test_a_run_a_stage_and_an_exported_model_are_weights(run, tmp_path):
    model = make_model(load_config(run), num_classes=10)
    shapes = variable_shapes(model, 32)
    export_model(run, tmp_path / "exported")
    whole = load_weights(str(run), shapes, model)
    assert whole.parts == (*CLASSIFIER_PARTS, *LOCALISER_PARTS)
    for source, parts in (
        (run / "classifier", CLASSIFIER_PARTS),
        (run / "tcam", whole.parts),
        (tmp_path / "exported", whole.parts),
    ):
        loaded = load_weights(str(source), shapes, model)
        assert loaded.parts == parts
        for name in parts:
            jax.tree.map(
                np.testing.assert_array_equal,
                loaded.variables["params"][name],
                whole.variables["params"][name],
            )
    with pytest.raises(InputError, match="must be the folder of a run, of a stage"):
        load_weights(str(tmp_path), shapes, model)


@pytest.mark.slow
def test_a_run_cut_short_is_not_served(run, launch, tmp_path):
    short = tmp_path / "short"
    shutil.copytree(run, short)
    (short / "tcam" / "finished").unlink()
    for name in ("evaluate", "report"):
        done = launch(name, f"--workdir={short}", status=2)
        assert "must be trained to its end" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_corrupted_record_is_named(shapes_data, tmp_path, launch, split):
    broken = tmp_path / "data"
    shutil.copytree(shapes_data, broken)
    folder = next((broken / "moving_shapes" / "default").glob("*.*.*"))
    (records,) = folder.glob(f"*-{split}.array_record-*")
    content = bytearray(records.read_bytes())
    assert load_table(folder / "index.npz", split).num_records > 10
    # Flip bytes all over the JPEG data: most records, since training goes on without a few.
    for position in range(len(content) // 10, len(content) * 9 // 10, 97):
        content[position] ^= 0xFF
    records.write_bytes(bytes(content))
    data = f"--config.dataset.data_dir={broken}"
    done = launch("train", *TINY, data, f"--workdir={tmp_path / 'run'}", status=2)
    # Training ends with too many records, or with a window for which no intact one was drawn.
    told = {
        "train": "(more than 16 records|16 redraws in a row of a window) of",
        "validation": r"record \d+ of",
    }
    assert re.search(f"error: {told[split]} moving_shapes/default {split}", done.stderr)
    assert "Traceback" not in done.stderr
