import csv
import io
import json

import pytest
from PIL import Image

from configs import demo, youtube_objects
from tcam_jax.config.ablation import Ablation, Variant
from tcam_jax.config.paper_ablations import ablations
from tcam_jax.config.rules import validate
from tcam_jax.report.ablation import read_summary, summarise, to_csv, to_markdown
from tcam_jax.report.ablation_plots import bars, temporal_range
from tcam_jax.runtime.errors import InputError


def results(tcam, layercam, accuracy=90.0):
    """Results of one run; each CorLoc is (τ from validation, τ maximised on test)."""
    protocol = {"class_from": "truth", "regions": "largest", "iou": 0.5, "localisation": "gt_known"}
    fixed = {"method": "centre_box", "checkpoint": None, "threshold": None, "corloc": 17.5}
    rows = [protocol | fixed]
    for method, values in (("layercam", layercam), ("tcam", tcam)):
        for threshold, value in zip(("val", "test"), values, strict=True):
            rows.append(
                protocol
                | {
                    "method": method,
                    "checkpoint": f"{method}/best@1",
                    "threshold": threshold,
                    "corloc": value,
                }
            )
    return {
        "dataset": "shapes",
        "split": "test",
        "rows": rows,
        "classification": {"layercam/best@1": 1.0, "tcam/best@1": accuracy},
    }


TABLE = Ablation(
    "losses",
    "Losses",
    (
        Variant("full", "LayerCAM", {}, 65.6, method="layercam"),
        Variant("full", "centre box", {}, method="centre_box"),
        Variant("full", "TCAM", {}, 73.0),
        Variant("half", "**half, of it**", {"a.b": 1}),
    ),
)
RUNS = {
    ("full", 0): results((50.0, 52.0), (30.0, 31.0)),
    ("full", 2): results((56.0, 56.0), (34.0, 36.0)),
    ("half", 0): results((40.0, 41.0), (30.0, 31.0)),
}


def test_summary_has_means_and_sample_deviations():
    summary = summarise([TABLE], RUNS)
    layercam, box, full, half = summary["tables"][0]["rows"]
    assert (full["val"]["mean"], full["test"]["mean"]) == (53.0, 54.0)
    assert full["val"]["std"] == pytest.approx(18**0.5)  # (3^2 + 3^2) / (2 - 1)
    assert full["runs"]["2"] == {"val": 56.0, "test": 56.0, "accuracy": 90.0}
    assert half["val"] == {"mean": 40.0, "std": None}
    assert layercam["val"]["mean"] == 32.0 and layercam["published"] == 65.6
    assert box["val"] == {"mean": 17.5, "std": None}  # it does not depend on the seed
    assert box["runs"]["0"]["accuracy"] is None and layercam["runs"]["0"]["accuracy"] == 1.0


def test_markdown():
    lines = to_markdown(summarise([TABLE], RUNS)).splitlines()
    assert lines[0] == (
        "| Losses | seed 0 | seed 2 | mean ± std | τ maximised on test | published |"
    )
    assert lines[4] == "| TCAM | 50.0 | 56.0 | 53.0 ± 4.2 | 54.0 ± 2.8 | 73.0 |"
    assert lines[5] == "| **half, of it** | 40.0 | – | 40.0 | 41.0 | – |"
    assert "shapes, test split" in lines[-1]


def test_csv_has_a_line_for_each_number():
    rows = list(csv.DictReader(io.StringIO(to_csv(summarise([TABLE], RUNS)))))
    assert len(rows) == 2 * (2 + 2 + 2 + 1)
    assert rows[-1] == {
        "table": "losses",
        "run": "half",
        "title": "**half, of it**",
        "method": "tcam",
        "seed": "0",
        "threshold": "test",
        "corloc": "41.0",
        "accuracy": "90.0",
        "published": "",
    }


def test_without_boxes_there_are_no_numbers():
    summary = summarise([TABLE], {("full", 0): results((None, None), (None, None))})
    assert summary["tables"][0]["rows"][2]["val"] == {"mean": None, "std": None}
    assert "| TCAM | – | – | – | 73.0 |" in to_markdown(summary)


@pytest.mark.parametrize("draw", [bars, temporal_range])
def test_plots_are_pictures(tmp_path, draw):
    table = summarise(
        [TABLE._replace(variants=(Variant("n0", "n = 0", {}, 70.5), Variant("n10", "n = 10", {})))],
        {("n0", 0): RUNS["full", 0], ("n0", 1): RUNS["full", 2], ("n10", 0): RUNS["half", 0]},
    )["tables"][0]
    draw(table, "shapes", tmp_path / "plot.png")
    with Image.open(tmp_path / "plot.png") as picture:
        assert picture.width > 600 and picture.height > 250
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 20)}
    assert {(0, 114, 178), (213, 94, 0)} <= colours  # ours and the published ones


@pytest.mark.parametrize("config", [demo.get_config(), youtube_objects.get_config()])
@pytest.mark.parametrize("full", [False, True])
def test_the_lists_fit_the_configs(config, full):
    overrides = {}
    for table in ablations(config.dataset.name, full):
        for variant in table.variants:
            # Rows that share a run are the same run.
            assert overrides.setdefault(variant.run, variant.overrides) == variant.overrides
            one = config.copy_and_resolve_references().lock()
            one.update_from_flattened_dict(variant.overrides)
            validate(one)
    assert ("boxes" in overrides) == (config.dataset.name == "moving_shapes")
    assert {f"n{n}" for n in (range(11) if full else (0, 1, 2, 4))} <= set(overrides)


def test_published_numbers():
    tables = {table.name: table for table in ablations("youtube_objects", True)}
    losses = [(v.method, v.published) for v in tables["losses"].variants]
    assert losses == [
        ("layercam", 65.6),
        ("tcam", 68.5),
        ("tcam", 69.6),
        ("tcam", 66.2),
        ("tcam", 70.5),
        ("tcam", 73.0),
    ]
    assert [v.published for v in tables["temporal"].variants] == [70.5, 73.0] + [None] * 9
    methods = {v.method: v.published for v in tables["seeds"].variants if v.method != "tcam"}
    assert methods == {
        "cam": 50.1,
        "gradcam": 56.4,
        "gradcampp": 63.2,
        "smoothgradcampp": 57.1,
        "xgradcam": 56.7,
        "layercam": 65.6,
        "eigencam": None,
    }


def test_a_summary_is_read_as_written_and_a_damaged_one_is_one_error(tmp_path):
    path, whole = tmp_path / "ablation.json", summarise([TABLE], RUNS)
    path.write_text(json.dumps(whole))
    assert read_summary(path) == whole
    table = whole["tables"][0]
    row = table["rows"][0]
    of_no_seed = row | {"runs": {"x": row["runs"]["0"]}}
    for changed, told in (
        ({"schema": 2}, "schema must be 1; it is 2"),
        ({"tables": {}}, "tables must be a list"),
        ({"tables": [table | {"rows": [{}]}]}, r"rows\[0\] lacks run, title"),
        ({"tables": [table | {"rows": [of_no_seed]}]}, "its seeds must be whole numbers"),
    ):
        path.write_text(json.dumps(whole | changed))
        with pytest.raises(InputError, match=rf"ablation\.json is damaged: .*{told}.*tcam ablate"):
            read_summary(path)
