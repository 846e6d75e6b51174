"""launch.benchmark at its smallest, as a user runs it."""

import json

import pytest

from tcam_jax.benchmark import case, our_ways, torch_ways
from tcam_jax.benchmark.case import PARTS
from tcam_jax.config import defaults

SMALLEST = ("--encoder=resnet10", "--size=32", "--batch=2", "--rounds=1")


@pytest.mark.slow
def test_both_sides_are_measured(launch, tmp_path):
    output = tmp_path / "figures.json"
    parts = [part for part in PARTS if part not in ("losses", "cams")]
    done = launch("benchmark", *SMALLEST, f"--parts={','.join(parts)}", f"--output={output}")
    figures = json.loads(output.read_text())
    assert output.with_suffix(".md").read_text().strip() == done.stdout.strip()
    assert figures["command"].startswith("python -m launch.benchmark --encoder=resnet10")
    rows = {row["name"]: row for row in figures["rows"]}
    beside = {name for name, row in rows.items() if "ratio" in row}
    assert beside == {
        "stage 1 step",
        "stage 2 step",
        "CRF alone",
        "inference, batch 1",
        "inference, batch 2",
    }
    assert set(rows) - beside == {"evaluation"}
    assert all(row["ours"]["milliseconds"] > 0 and row["flops"] > 0 for row in rows.values())
    assert rows["inference, batch 2"]["flops"] == 2 * rows["inference, batch 1"]["flops"]


@pytest.mark.slow
def test_a_cam_that_the_twin_has_is_measured_on_both_sides(monkeypatch):
    monkeypatch.setattr(case, "CAM_METHODS", ("gradcam", "layercam"))
    monkeypatch.setattr(our_ways, "ceilings", lambda precision: {})  # seconds of products
    config = defaults.get_config()
    config.model.encoder, config.dataset.resize, config.dataset.crop = "resnet10", 36, 32
    asked = case.Case(config, 2, ("cams",))
    ours, theirs = our_ways.prepare(asked), torch_ways.prepare(asked, False)
    assert [*ours.ways] == ["CAM: gradcam", "CAM: layercam"]
    assert [*theirs.ways] == ["CAM: layercam"]
    for way in (*ours.ways.values(), *theirs.ways.values()):
        way()
    assert all(ours.figures[name]["flops"] > 0 for name in ours.ways)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--parts=steps,speed", "parts must be some of"),
        ("--output=figures.csv", "must end with .json"),
        ("--encoder=resnet19", "resnet18|resnet34"),
        ("--encoder=dinov2_small_patch14", "no PyTorch twin of dinov2_small_patch14"),
    ],
)
def test_bad_arguments_are_told_at_once(launch, argument, message):
    assert message in launch("benchmark", argument, status=2).stderr
