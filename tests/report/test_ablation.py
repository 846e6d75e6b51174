import csv
import io
import json
from pathlib import Path

import pytest
from PIL import Image

from configs import demo, moving_photos, youtube_objects
from tcam_jax.config.ablation import Ablation, Variant, planned, with_methods
from tcam_jax.config.ablation_tables import TABLES, tables_of
from tcam_jax.config.rules import validate
from tcam_jax.report.ablation import read_summary
from tcam_jax.report.ablation_plots import bars, temporal_range
from tcam_jax.report.ablation_scores import FinishedRun, summarise
from tcam_jax.report.ablation_tables import to_csv, to_markdown
from tcam_jax.runtime.errors import InputError


def run(tcam, layercam, accuracy=90.0, overlaps=None, cost=None, pseudo=False):
    """One run; each CorLoc is (without boxes, τ from validation, τ maximised on test).

    `overlaps`: by method, of the frames of two classes, three of a video.
    """
    protocol = {"class_from": "truth", "regions": "largest", "iou": 0.5, "localisation": "gt_known"}
    fixed = {"method": "centre_box", "checkpoint": None, "threshold": None, "corloc": 17.5}
    rows = [protocol | fixed]
    rules = {"layercam": "otsu", "tcam": "agreement"}
    for method, values in (("layercam", layercam), ("tcam", tcam)):
        for threshold, value in zip((rules[method], "val", "test"), values, strict=True):
            rows.append(
                protocol
                | {
                    "method": method,
                    "checkpoint": f"{method}/best@1",
                    "threshold": threshold,
                    "corloc": value,
                }
            )
    results = {
        **{"dataset": "shapes", "config": "default", "split": "test", "rows": rows},
        "classification": {"layercam/best@1": 1.0, "tcam/best@1": accuracy},
    }
    lines = [
        {
            "id": f"{'ab'[i // 6]}/v{i // 3}/s/{i}.jpg",
            "label": "ab"[i // 6],
            "iou_without_boxes": {method: ious[i] for method, ious in overlaps.items()},
        }
        for i in range(12 if overlaps else 0)
    ]
    by = "motion" if pseudo else "boxes"
    return FinishedRun(results, lines, "resnet18", by, 120.0, cost)


TABLE = Ablation(
    "losses",
    "Losses",
    (
        Variant("full", "LayerCAM", {}, 65.6, method="layercam"),
        Variant("full", "centre box", {}, method="centre_box"),
        Variant("full", "TCAM", {}, 73.0, method="tcam"),
        Variant("half", "**half, of it**", {"a.b": 1}, method="tcam"),
    ),
    baseline="full",
)
RUNS = {
    ("full", 0): run((50.0, 51.0, 52.0), (30.0, 30.5, 31.0)),
    ("full", 2): run((56.0, 57.0, 56.0), (34.0, 35.0, 36.0)),
    ("half", 0): run((40.0, 40.5, 41.0), (30.0, 30.5, 31.0)),
}


def test_summary_has_means_and_sample_deviations():
    summary = summarise([TABLE], RUNS)
    assert (summary["dataset"], summary["encoder"]) == ("shapes", "resnet18")
    layercam, box, full, half = summary["tables"][0]["rows"]
    assert (full["without_boxes"]["mean"], full["val"]["mean"]) == (53.0, 54.0)
    assert full["without_boxes"]["std"] == pytest.approx(18**0.5)  # (3^2 + 3^2) / (2 - 1)
    scores = {"without_boxes": 56.0, "val": 57.0, "test": 56.0, "accuracy": 90.0, "seconds": 120.0}
    assert full["runs"]["2"] == scores
    assert half["val"] == {"mean": 40.5, "std": None}
    assert layercam["without_boxes"]["mean"] == 32.0 and layercam["published"] == 65.6
    assert (layercam["rule"], full["rule"], box["rule"]) == ("otsu", "agreement", None)
    assert box["val"] == {"mean": 17.5, "std": None}  # it does not depend on the seed
    assert box["without_boxes"]["mean"] == 17.5
    assert box["runs"]["0"]["accuracy"] is None and layercam["runs"]["0"]["accuracy"] == 1.0


def test_markdown():
    text = to_markdown(summarise([TABLE], RUNS))
    lines = text.splitlines()
    assert lines[0] == (
        "| Losses | seed 0 | seed 2 | mean ± std | τ from validation | τ maximised on test "
        "| published |"
    )
    assert lines[4] == "| TCAM | 50.0 | 56.0 | 53.0 ± 4.2 | 54.0 ± 4.2 | 54.0 ± 2.8 | 73.0 |"
    assert lines[5] == "| **half, of it** | 40.0 | – | 40.0 | 40.5 | 41.0 | – |"
    assert "shapes (default), resnet18, test split" in lines[-1]
    assert "otsu, agreement" in lines[-1]


def test_csv_has_a_line_for_each_number():
    rows = list(csv.DictReader(io.StringIO(to_csv(summarise([TABLE], RUNS)))))
    assert len(rows) == 3 * (2 + 2 + 2 + 1)
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
    summary = summarise([TABLE], {("full", 0): run((None,) * 3, (None,) * 3)})
    assert summary["tables"][0]["rows"][2]["val"] == {"mean": None, "std": None}
    text = to_markdown(summary)
    assert "| TCAM | – | – | – | – | 73.0 |" in text and "above" not in text.splitlines()[0]


GOOD, BAD = [0.9] * 3, [0.1] * 3  # of the frames of a video
COMPARED = {
    # Of four videos, two a class, LayerCAM finds the first; seeds of TCAM two and three.
    ("full", 0): run(
        *((75.0,) * 3, (25.0,) * 3),
        overlaps={"layercam": GOOD + BAD + BAD + BAD, "tcam": GOOD + BAD + GOOD + BAD},
        cost={
            **{"parameters": 2_500_000, "localiser": 500_000, "device": "cpu"},
            "milliseconds": {"tcam": 3.0, "layercam": 2.0},
        },
    ),
    ("full", 1): run(
        *((75.0,) * 3, (25.0,) * 3),
        overlaps={"layercam": GOOD + BAD + BAD + BAD, "tcam": GOOD + BAD + GOOD + GOOD},
    ),
    ("half", 1): run(
        *((25.0,) * 3, (25.0,) * 3),
        overlaps={"layercam": BAD * 4, "tcam": GOOD + BAD + GOOD + GOOD},
    ),
}


def test_rows_are_compared_on_the_same_videos_and_seeds():
    layercam, box, full, half = summarise([TABLE], COMPARED)["tables"][0]["rows"]
    assert layercam["against_cam"] is full["against_baseline"] is None  # with themselves
    assert box["against_cam"] is box["against_baseline"] is None  # of no frame is it known
    # By seed the second class is + 50 and + 100, the first the same.
    assert full["against_cam"]["mean"] == pytest.approx(37.5)
    # Two videos of a class are drawn from: of the second class 50, 75 or 100 are won.
    assert full["against_cam"]["interval"] == pytest.approx([25, 50])
    assert layercam["against_baseline"]["mean"] == pytest.approx(-37.5)
    # Seed 1 alone is in both; LayerCAM is the baseline's, not this run's own.
    assert half["against_baseline"] == {"mean": 0.0, "interval": [0.0, 0.0]}
    assert half["against_cam"]["mean"] == pytest.approx(50)
    assert half["against_cam"]["interval"] == pytest.approx([50, 50])


def test_what_is_surely_better_is_bold_and_costs_have_a_table():
    lines = to_markdown(summarise([TABLE], COMPARED)).splitlines()
    assert "| mean ± std | above LayerCAM | above TCAM | τ from validation |" in lines[0]
    assert "| **+37.5 (25.0 to 50.0)** | – |" in lines[4]
    assert lines[5].startswith(
        "| **half, of it** | – | 25.0 | 25.0 | **+50.0 (50.0 to 50.0)** | +0.0 ("
    )
    costs = lines.index("**Costs: Losses**") + 2
    header = ["Losses", "parameters, millions", "trained in stage 2", "training, minutes"]
    assert lines[costs] == f"| {' | '.join([*header, 'a frame, ms'])} |"
    assert lines[costs + 2] == "| LayerCAM | 2.50 | 0.50 | 2.0 | 2.0 |"
    assert lines[costs + 4] == "| TCAM | 2.50 | 0.50 | 2.0 | 3.0 |"


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: [],
        lambda lines: [{**line, "iou_without_boxes": {"layercam": 0.9}} for line in lines],
        lambda lines: [{"id": line["id"], "label": line["label"]} for line in lines],
        lambda lines: lines[1:],
    ],
    ids=["no lines", "another method", "of before", "other frames"],
)
def test_what_was_not_recorded_is_not_compared(change):
    key = ("half", 1)
    runs = COMPARED | {key: COMPARED[key]._replace(lines=change(COMPARED[key].lines))}
    half = summarise([TABLE], runs)["tables"][0]["rows"][3]
    assert half["against_cam"] is half["against_baseline"] is None


def test_selected_by_pseudo_boxes_their_threshold_is_without_boxes():
    summary = summarise(
        [TABLE._replace(variants=[Variant("full", "TCAM", {}, method="tcam")])],
        {("full", 0): run((50.0, 51.0, 52.0), (30.0, 30.5, 31.0), pseudo=True)},
    )
    assert summary["tables"][0]["rows"][0]["rule"] == "agreement"
    assert " Checkpoints are selected by boxes: motion. Pub" in to_markdown(summary)


def test_what_selects_checkpoints_is_told():
    for by, split, told in (
        ("boxes", "test", " selected by the true boxes of validation frames. Published"),
        ("boxes", "validation", " true boxes of validation frames, which are scored here. Publish"),
        ("none", "test", " No box selects checkpoints. Published"),
    ):
        runs = {key: one._replace(select_by=by) for key, one in RUNS.items()}
        assert told in to_markdown(summarise([TABLE], runs) | {"split": split})
    unknown = run((50.0, None, None), (30.0, None, None))
    table = TABLE._replace(variants=[Variant("full", "TCAM", {}, method="tcam")])
    assert summarise([table], {("full", 0): unknown})["select_by"] == "none"


@pytest.mark.parametrize("draw", [bars, temporal_range])
def test_plots_are_pictures(tmp_path, draw):
    table = summarise(
        [
            TABLE._replace(
                variants=(
                    Variant("n0", "n = 0", {}, 70.5, method="tcam"),
                    Variant("n10", "n = 10", {}, method="tcam"),
                )
            )
        ],
        {("n0", 0): RUNS["full", 0], ("n0", 1): RUNS["full", 2], ("n10", 0): RUNS["half", 0]},
    )["tables"][0]
    draw(table, "shapes", tmp_path / "plot.png")
    with Image.open(tmp_path / "plot.png") as picture:
        assert picture.width > 600 and picture.height > 250
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 20)}
    assert {(0, 114, 178), (213, 94, 0)} <= colours  # ours and the published ones


CONFIGS = [demo.get_config(), youtube_objects.get_config(), moving_photos.get_config()]


@pytest.mark.parametrize("config", CONFIGS, ids=["demo", "youtube_objects", "moving_photos"])
@pytest.mark.parametrize("full", [False, True])
def test_the_lists_fit_the_configs(config, full):
    tables = [with_methods(table, config) for table in tables_of(config, full)]
    runs = dict(planned(config, tables, [0]))  # rows that share a run are the same run
    for one in runs.values():
        validate(one.lock())
    names = {name for name, _ in runs}
    assert ("boxes" in names) == (config.dataset.name == "moving_shapes")
    assert {f"n{n}" for n in (range(11) if full else (0, 1, 2, 4))} <= names


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("config", [CONFIGS[0], CONFIGS[2]], ids=["demo", "moving_photos"])
def test_a_table_by_its_name(config, name):
    (table,) = tables_of(config, False, [name])
    assert table.name == name
    runs = dict(planned(config, [with_methods(table, config)], [0]))
    for one in runs.values():
        validate(one.lock())
    assert (table.baseline, 0) in runs


def test_tables_that_are_none():
    with pytest.raises(InputError, match=r"of losses, temporal, .*; got lesses, x\."):
        tables_of(CONFIGS[0], False, ["losses", "lesses", "x"])
    with pytest.raises(InputError, match="bounds needs boxes in training.*is youtube_objects"):
        tables_of(CONFIGS[1], False, ["bounds"])
    with pytest.raises(InputError, match="bounds is of moving_photos as .* is hard"):
        tables_of(moving_photos.get_config("hard"), False, ["bounds"])


def test_a_row_is_of_the_map_that_the_run_predicts_by():
    changed = Variant("b", "", {"eval.map": "probability"})
    table = Ablation("t", "", [Variant("a", "", {}), changed, Variant("a", "", {}, method="cam")])
    methods = [variant.method for variant in with_methods(table, CONFIGS[2]).variants]
    assert methods == ["tcam_crf", "tcam_probability", "cam"]


def test_a_row_that_no_run_scores_is_one_error():
    for method, field in (("eigencam", "cam_methods"), ("tcam_fused", "other_maps")):
        table = Ablation("t", "", [Variant("a", "a row", {}, method=method)])
        with pytest.raises(InputError, match=f"config.eval.{field} must have .*{method}.*'a row'"):
            list(planned(CONFIGS[0], [table], [0]))


def test_published_numbers():
    tables = {table.name: table for table in tables_of(CONFIGS[1], True)}
    losses = [(v.method, v.published) for v in tables["losses"].variants]
    assert losses == [
        ("layercam", 65.6),
        ("own", 68.5),
        ("own", 69.6),
        ("own", 66.2),
        ("own", 70.5),
        ("own", 73.0),
    ]
    assert [v.published for v in tables["temporal"].variants] == [70.5, 73.0] + [None] * 9
    methods = {v.method: v.published for v in tables["seeds"].variants if v.method != "own"}
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
    path, whole = tmp_path / "ablation.json", summarise([TABLE], COMPARED)
    path.write_text(json.dumps(whole))
    assert read_summary(path) == whole
    path.write_text(json.dumps({x: whole[x] for x in whole if x != "select_by"}))  # of before
    assert read_summary(path) == whole | {"select_by": ""}
    table = whole["tables"][0]
    row = table["rows"][0]
    of_no_seed = row | {"runs": {"x": row["runs"]["0"]}}
    for changed, told in (
        ({"schema": 3}, "schema must be 2; it is 3"),
        ({"tables": {}}, "tables must be a list"),
        ({"tables": [table | {"rows": [{}]}]}, r"rows\[0\] lacks run, title"),
        ({"tables": [table | {"rows": [of_no_seed]}]}, "its seeds must be whole numbers"),
        ({"tables": [table | {"rows": [row | {"run": "../x"}]}]}, "runs must be names of folders"),
        ({"tables": [table | {"rows": [row | {"run": ".."}]}]}, "runs must be names of folders"),
        ({"schema": 1, "tables": [table | {"rows": [{"runs": 3}]}]}, r"rows\[0\] lacks run, title"),
    ):
        path.write_text(json.dumps(whole | changed))
        with pytest.raises(InputError, match=rf"ablation\.json is damaged: .*{told}.*tcam ablate"):
            read_summary(path)


def test_a_summary_of_before_is_read():
    committed = Path(__file__).parents[2] / "docs/ablation/ablation.json"
    assert json.loads(committed.read_text())["schema"] == 1
    text = to_markdown(read_summary(committed))
    assert "| seed 0 | seed 1 | seed 2 | mean ± std | τ maximised on test | published |" in text
    assert "τ from validation unless said" in text and "LayerCAM | " in text
