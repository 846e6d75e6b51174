"""A small sweep through the command's own loop: shared classifiers, tables, going on."""

import itertools
import json
import subprocess
import sys

import pytest

from configs import demo
from tcam_jax.commands import ablate as command
from tcam_jax.config.ablation import Ablation, Variant
from tcam_jax.config.record import record_config
from tcam_jax.report.sweep_frames import FRAMES
from tcam_jax.runtime.errors import InputError
from tcam_jax.train.stage import finish, is_finished
from tcam_jax.train.stages import CLASSIFIER_DIR, TCAM_DIR
from tests.launch.conftest import ROOT

SWEEP = """
import sys
from pathlib import Path

from configs import demo
from tests.docs.fenced import load
from tcam_jax.config.paper_ablations import LOSSES, temporal
from tcam_jax.commands.ablate import ablate
from tcam_jax.data.dataset import Dataset
from tcam_jax.report.sweep import sweep_page

sys.argv = sys.argv[:1]
config = demo.get_config()
config.dataset.data_dir = {data!r}
config.update_from_flattened_dict(
    {{
        "model.encoder": "small",
        "model.decoder_width": 0.25,
        "dataset.resize": 36,
        "dataset.crop": 32,
        "classifier.epochs": 1,
        "classifier.batch_size": 8,
        "tcam.epochs": 1,
        "tcam.batch_size": 8,
        "eval.batch_size": 8,
        "eval.cam_methods": ("layercam",),
        "eval.other_maps": (),
    }}
)
losses = LOSSES._replace(variants=LOSSES.variants[:2])  # LayerCAM, and pseudo-labels alone
few = temporal(False)
tables = losses, few._replace(variants=few.variants[1:2])
table = Path({workdir!r}) / "ablation.md"
load("extending.md", "my_encoder.py", table.parent)
ablate(config, table.parent, tables, [0])
table.rename(table.with_suffix(".first"))
print("once more", flush=True)
ablate(config, table.parent, tables, [0])

read = Dataset._read_truth


def refusing(self, split):
    assert split != "test"
    return read(self, split)


Dataset._read_truth = refusing
summary = ablate(config, table.parent, tables, [0], split="validation")
table.with_name("page.html").write_text(sweep_page(summary, table.parent))
"""


@pytest.mark.slow
def test_a_sweep_trains_each_run_once(tmp_path, shapes_data, environment):
    program = SWEEP.format(data=str(shapes_data), workdir=str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    first, second = done.stdout.split("once more")
    assert "run 2 of 2" in first
    assert first.count("classifier step 0") == 1  # the other has a copy
    assert first.count("tcam step 0") == 2
    for name in ("ablation.csv", "losses.png", "temporal.png"):
        assert (tmp_path / name).stat().st_size > 0
    summary = json.loads((tmp_path / "ablation.json").read_text())
    assert summary["schema"] == 2 and summary["encoder"] == "small"
    (layercam, labels), (n1,) = (table["rows"] for table in summary["tables"])
    assert n1["runs"] != {} and layercam["run"] == n1["run"]
    loss = (tmp_path / "seed0" / "pl" / "tcam" / "metrics.jsonl").read_text()
    assert "loss_partial_ce" in loss and "loss_crf" not in loss and "loss_size" not in loss
    (run,) = {*(tmp_path / "seed0").iterdir()} - {tmp_path / "seed0" / "pl"}
    assert "loss_crf" in (run / "tcam" / "metrics.jsonl").read_text()

    assert "step 0" not in second
    assert (tmp_path / "ablation.md").read_text() == (tmp_path / "ablation.first").read_text()

    chosen = json.loads((tmp_path / "ablation_validation.json").read_text())
    assert chosen["split"] == "validation"
    assert (tmp_path / "seed0" / "pl" / "results_validation.json").exists()
    for table in (*summary["tables"], *chosen["tables"]):
        for row in table["rows"]:
            assert row["rule"] == ("otsu" if row["method"] == "layercam" else "agreement")
            assert row["cost"]["milliseconds"] > 0 and row["runs"]["0"]["seconds"] > 0
            assert row["cost"]["parameters"] > row["cost"]["localiser"] > 0
    assert labels["against_baseline"] is None  # that run is no row's own map here
    page = (tmp_path / "page.html").read_text()
    assert page.count("data:image/jpeg") == 2 * FRAMES  # of ten classes, under both rows


@pytest.mark.parametrize(
    ("seeds", "message"),
    [("a,1", "whole numbers such as 0,1,2; got 'a,1'"), ("-1", "got '-1'"), ("²", "got '²'")],
)
def test_seeds_that_are_none(launch, tmp_path, seeds, message):
    done = launch(
        "ablate",
        "--config=configs/demo.py",
        f"--workdir={tmp_path}",
        f"--seeds={seeds}",
        status=2,
    )
    assert message in done.stderr


class Reached(Exception):
    """Training would begin; its argument tells whether a classifier was there."""


@pytest.fixture
def shares(tmp_path, monkeypatch):
    """Tell whether a sweep gives one run's classifier to a run of another config, untrained."""

    def train(config, workdir, stop, split):
        raise Reached(is_finished(workdir / CLASSIFIER_DIR))

    monkeypatch.setattr(command, "train_and_evaluate", train)
    numbers = itertools.count()

    def between(other: dict, mine: dict, orphan: bool = False, judge: str = "layercam") -> bool:
        sweep = tmp_path / str(next(numbers))
        configs = [demo.get_config(), demo.get_config()]
        for config, overrides in zip(configs, (other, mine), strict=True):
            config.dataset.data_dir = str(tmp_path)
            config.update_from_flattened_dict(overrides)
        trained, config = configs
        for name in ("prepared_folder", "dataset_folder", "check_runs"):
            monkeypatch.setattr(command, name, lambda *where: tmp_path)
        record_config(trained, sweep / "seed0" / "trained")
        (sweep / "seed0" / "trained" / CLASSIFIER_DIR).mkdir()
        finish(sweep / "seed0" / "trained" / CLASSIFIER_DIR, step=3)
        line = {"step": 3, "validation_accuracy": 90.0, f"validation_corloc_{judge}": 50.0}
        log = sweep / "seed0" / "trained" / CLASSIFIER_DIR / "metrics.jsonl"
        log.write_text(json.dumps(line) + "\n")
        if orphan:
            finished = sweep / "seed0" / "a_run_before" / CLASSIFIER_DIR
            finished.mkdir(parents=True)
            finish(finished, step=3)
        (sweep / "seed0" / "trained" / "dataset.json").write_text("{}")
        table = Ablation("table", "", [Variant("new", "", {})])
        with pytest.raises(Reached) as reached:
            command.ablate(config, sweep, [table], [0])
        # It is of that dataset: one prepared anew is refused when the run begins. Another
        # configuration of the same frames has a record of its own.
        same = reached.value.args[0] and config.dataset.config == trained.dataset.config
        assert (sweep / "seed0" / "new" / "dataset.json").exists() == same
        return reached.value.args[0]

    return between


def test_a_classifier_is_shared_only_with_what_would_train_the_same(shares):
    accurate = {
        "tcam.encoder_checkpoint": "best_classification",
        "tcam.seed_checkpoint": "best_classification",
    }
    assert shares({}, {"tcam.window.n": 4, "tcam.losses.crf.weight": 0.0})
    assert shares({}, {"dataset.config": "train_boxes", "tcam.seed_source": "boxes"})
    assert shares({}, {"tcam.cam_method": "cam", **accurate})
    assert not shares({}, {"tcam.cam_method": "cam"})
    # Whatever the config of the run beside it says: its classifier may be a copy of another's.
    assert not shares({}, {}, judge="cam")
    assert shares({}, accurate, judge="cam")
    assert shares({}, {"tcam.cam_method": "cam"}, judge="cam")
    assert not shares({}, {"classifier.label_smoothing": 0.1})
    assert not shares({}, {"model.encoder": "resnet34"})
    assert shares({}, {"model.decoder_width": 2.0})
    # One that was stopped before it had a config gives none.
    assert shares({}, {}, orphan=True)
    assert not shares({"seed": 1}, {}, orphan=True)
    assert not shares({}, {"eval.select_by": "motion"})
    assert not shares({"seed": 1}, {})


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        ({"model.pretrained": "nowhere.pth"}, "run odd cannot be started: .*nowhere.pth"),
        ({"tcam.losses.crf.start_epoch": 99}, "run odd cannot be started: .*start_epoch must be"),
    ],
)
def test_a_run_that_cannot_start_is_told_before_the_first_trains(
    shapes_data, tmp_path, monkeypatch, overrides, told
):
    config = demo.get_config()
    config.dataset.data_dir = str(shapes_data)
    config.dataset.resize, config.dataset.crop, config.model.encoder = 36, 32, "resnet10"
    trained = []
    monkeypatch.setattr(command, "train_and_evaluate", lambda one, *_, **__: trained.append(one))
    table = Ablation("table", "", [Variant("good", "", {}), Variant("odd", "", overrides)])
    with pytest.raises(InputError, match=told):
        command.ablate(config, tmp_path / "sweep", [table], [0])
    assert not trained and not (tmp_path / "sweep").exists()


def test_a_sweep_of_another_config_is_refused_and_a_shorter_run_is_no_row(tmp_path, monkeypatch):
    config = demo.get_config()
    config.dataset.data_dir = str(tmp_path)
    config.tcam.optimizer.schedule = "constant"
    for name in ("prepared_folder", "dataset_folder", "check_runs"):
        monkeypatch.setattr(command, name, lambda *where: tmp_path)
    seen = []

    def train(config, workdir, stop, split):
        raise Reached()

    monkeypatch.setattr(command, "train_and_evaluate", train)
    monkeypatch.setattr(command, "read_run", lambda folder, *_: seen.append(folder.name))
    table = Ablation("table", "", [Variant("new", "", {}), Variant("done", "", {})])
    done = tmp_path / "sweep" / "seed0" / "done"
    record_config(config, done)
    (done / TCAM_DIR).mkdir()
    finish(done / TCAM_DIR, step=3)
    (done / "results.json").write_text("{}")
    for epochs, rows in ((config.tcam.epochs, ["done"]), (2 * config.tcam.epochs, [])):
        config.tcam.epochs = epochs
        seen.clear()
        with pytest.raises(Reached):
            command.ablate(config, tmp_path / "sweep", [table], [0])
        assert seen == rows
    config.tcam.optimizer.learning_rate *= 2
    with pytest.raises(InputError, match="done holds a run of another config"):
        command.ablate(config, tmp_path / "sweep", [table], [0])
