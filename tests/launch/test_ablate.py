"""A small sweep through the command's own loop: shared classifiers, tables, going on."""

import json
import subprocess
import sys

import pytest

from tests.launch.conftest import ROOT

SWEEP = """
import sys
from pathlib import Path

from configs import demo
from tcam_jax.config.paper_ablations import LOSSES, temporal
from tcam_jax.commands.ablate import ablate

sys.argv = sys.argv[:1]
config = demo.get_config()
config.dataset.data_dir = {data!r}
config.update_from_flattened_dict(
    {{
        "dataset.resize": 36,
        "dataset.crop": 32,
        "classifier.epochs": 1,
        "classifier.batch_size": 8,
        "tcam.epochs": 1,
        "tcam.batch_size": 8,
        "eval.batch_size": 8,
    }}
)
losses = LOSSES._replace(variants=LOSSES.variants[:2])  # LayerCAM, and pseudo-labels alone
few = temporal(False)
ablate(config, Path({workdir!r}), (losses, few._replace(variants=few.variants[:2])), [0])
"""


@pytest.mark.slow
def test_a_sweep_trains_each_run_once(tmp_path, shapes_data, environment):
    def sweep():
        program = SWEEP.format(data=str(shapes_data), workdir=str(tmp_path))
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    first = sweep()
    assert "run 3 of 3" in first
    assert first.count("classifier step 0") == 1  # the others have a copy
    table = (tmp_path / "ablation.md").read_text()
    for name in ("ablation.csv", "losses.png", "temporal.png"):
        assert (tmp_path / name).stat().st_size > 0
    summary = json.loads((tmp_path / "ablation.json").read_text())
    assert summary["schema"] == 1
    (layercam, labels), (n0, n1) = (table["rows"] for table in summary["tables"])
    assert n1["runs"] != {} and layercam["run"] == n1["run"]
    loss = (tmp_path / "seed0" / "pl" / "tcam" / "metrics.jsonl").read_text()
    assert "loss_partial_ce" in loss and "loss_crf" not in loss and "loss_size" not in loss
    assert "loss_crf" in (tmp_path / "seed0" / "n0" / "tcam" / "metrics.jsonl").read_text()

    (tmp_path / "ablation.md").unlink()
    assert "step 0" not in sweep()
    assert (tmp_path / "ablation.md").read_text() == table


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


def test_a_classifier_is_shared_only_with_what_would_train_the_same():
    from configs import demo
    from tcam_jax.commands.ablate import _same_classifier

    def config(**overrides):
        one = demo.get_config()
        one.update_from_flattened_dict({k.replace("__", "."): v for k, v in overrides.items()})
        return one

    plain = config()
    accurate = {
        "tcam__encoder_checkpoint": "best_classification",
        "tcam__seed_checkpoint": "best_classification",
    }
    assert _same_classifier(plain, config(tcam__window__n=4, tcam__losses__crf__weight=0.0))
    assert _same_classifier(plain, config(dataset__config="train_boxes", tcam__seed_source="boxes"))
    assert _same_classifier(plain, config(tcam__cam_method="cam", **accurate))
    assert not _same_classifier(plain, config(tcam__cam_method="cam"))
    assert not _same_classifier(plain, config(classifier__label_smoothing=0.1))
    assert not _same_classifier(plain, config(model__depth=34))
    assert not _same_classifier(plain, config(seed=1))
