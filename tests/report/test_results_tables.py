"""Tables of results: the numbers of results.json, published ones beside on YouTube-Objects."""

import csv
import io

import pytest

from tcam_jax.config.defaults import get_config
from tcam_jax.evaluate.protocols import (
    AGREEMENT,
    IOUS,
    LOCALISATIONS,
    THRESHOLDS,
    thresholds_of,
)
from tcam_jax.report import results_tables, run_boxes
from tcam_jax.report.csv_file import to_csv
from tcam_jax.report.table import Table, to_markdown
from tcam_jax.runtime.errors import InputError

CLASSES = ["bird", "boat"]


def _rows(method):
    """Each row's CorLoc is a number of its own."""
    number = 0
    for class_from in ("truth", "prediction"):
        for threshold in thresholds_of(method):
            for regions in ("largest", "all"):
                for localisation in LOCALISATIONS:
                    for iou in (*IOUS, "mean"):
                        number += 1
                        yield {
                            "method": method,
                            "checkpoint": f"{method}/best@1",
                            "class_from": class_from,
                            "threshold": threshold,
                            "regions": regions,
                            "localisation": localisation,
                            "iou": iou,
                            "tau": 0.25,
                            "corloc": number / 10,
                            "interval": [number / 10 - 1, number / 10 + 1],
                            "corloc_frames": number / 10,
                            "per_class": [number / 10, None],
                        }


@pytest.fixture
def results():
    fixed = dict.fromkeys(("class_from", "threshold", "regions", "tau"))
    centre = {**next(_rows("centre_box")), **fixed, "corloc": 1.0, "iou": 0.5}
    return {
        "dataset": "youtube_objects",
        "config": "v1.0",
        "split": "test",
        "frames": 5,
        "boxes": 5,
        "videos": 3,
        "classes": CLASSES,
        "rows": [centre, *_rows("cam"), *_rows("layercam"), *_rows("tcam")],
        "classification": {"tcam/best@1": 50.0},
    }


def _corloc(results, **wanted):
    wanted = {
        "method": "tcam",
        "class_from": "truth",
        "threshold": "val",
        "regions": "largest",
        "localisation": "gt_known",
        "iou": 0.5,
    } | wanted
    (row,) = [r for r in results["rows"] if all(r[k] == v for k, v in wanted.items())]
    return f"{row['corloc']:.1f}"


def test_the_headline_has_ours_and_then_the_published(results):
    table = results_tables.headline_table(results, ("tcam", "layercam"))
    assert table.others == 26
    ours = {tuple(row[:2]): row[2:] for row in table.rows[: -table.others]}
    thresholds = ["τ from validation", "Otsu's, per map", "τ maximised on test"]
    assert list(ours) == [
        ("tcam", thresholds[0]),
        ("tcam", "agreement with CAMs"),
        ("tcam", "multi otsu, per map"),
        ("tcam", thresholds[2]),
        *(("layercam", name) for name in thresholds),
        ("centre_box", "fixed box"),
    ]
    known = ("val", "multi_otsu", AGREEMENT)
    scores = {name: float(_corloc(results, threshold=name)) for name in known}
    assert max(scores, key=scores.__getitem__) == "multi_otsu"
    assert table.best == [2]  # "test" has no more than its own split to show
    value = _corloc(results, threshold="test")
    assert ours["tcam", "τ maximised on test"][:4] == ["0.250", value, "–", value]
    published = {row[0]: row for row in table.rows[-table.others :]}
    assert published["TCAM (Belharbi et al., 2023)"][1:] == [
        "τ maximised on test", "–", "70.4", "62.2", "73.0", "–"
    ]  # fmt: skip
    clip = published["TrCAM-V, CLIP pseudo-labels (Murtaza et al., 2024)"]
    assert clip[1:] == ["all regions, τ per class, maximised on test", "–", "–", "–", "84.8", "–"]
    assert "TCAM, WACV 2023, Table 1" in table.note
    results |= {"dataset": "moving_shapes", "classes": ["parked cars, rain", "boat"]}
    table = results_tables.headline_table(results, ("tcam", "layercam"))
    assert table.others == 0 and table.header[3:5] == results["classes"]  # whole


def test_thresholds_that_cannot_be_known_are_no_rows_of_the_headline(results):
    for row in results["rows"]:
        if row["threshold"] in ("val", "val_per_class"):
            row |= {"corloc": None, "tau": None, "interval": None}
    rows = results_tables.headline_table(results, ("layercam",)).rows
    assert [row[1] for row in rows[:3]] == ["Otsu's, per map", "τ maximised on test", "fixed box"]


def test_what_commands_print(results):
    config = get_config()
    config.tcam.cam_method = "layercam"
    printed = results_tables.results_table(results, config)
    assert "| **tcam** | **multi otsu, per map** |" in printed and "50.0 % (tcam/best@1)" in printed
    assert "| cam |" not in printed
    results["boxes"] = 0
    printed = results_tables.results_table(results, config)
    assert printed.splitlines() == [
        "CorLoc is not known: the test split has no true boxes.",
        "Classification accuracy 50.0 % (tcam/best@1).",
    ]
    config.tcam.epochs = 0
    assert run_boxes.methods_of(config) == ("layercam",)


def test_every_protocol_stands_where_its_heading_says(results):
    by_class, largest, every, _ = results_tables.protocol_tables(results, get_config())
    wanted = 2 * len(THRESHOLDS) + len(thresholds_of("tcam")) + 1
    assert len({tuple(row[:2]) for row in by_class.rows}) == len(by_class.rows) == wanted
    for table, regions in ((largest, "largest"), (every, "all")):
        assert table.header[2:] == ["IoU ≥ 0.3", "IoU ≥ 0.5", "IoU ≥ 0.7", "mean"]
        assert all("maximised" not in table.rows[i][1] for i in table.best)
        honest = [row for row in table.rows if "maximised" not in row[1]]
        assert table.rows[table.best[0]][-1] == max((row[-1] for row in honest), key=float)
        row = dict((tuple(r[:2]), r[2:]) for r in table.rows)["cam", "Otsu's, per map"]
        assert row == [
            _corloc(results, method="cam", threshold="otsu", regions=regions, iou=iou)
            for iou in (*IOUS, "mean")
        ]
    config = get_config()
    for by, title, threshold in (
        ("boxes", "τ from validation", "val"),
        ("none", "agreement with CAMs", AGREEMENT),
    ):
        config.eval.select_by = by
        classified = results_tables.protocol_tables(results, config)[-1]
        row = {tuple(r[:3]): r[3:] for r in classified.rows}["tcam", title, "prediction"]
        assert row == [
            _corloc(results, class_from="prediction", localisation=name, threshold=threshold)
            for name in ("gt_known", "top1", "top5")
        ]
        shown = results_tables.headline(results, config, "tcam")
        assert (shown[0], shown[2]) == (_corloc(results, threshold=threshold), title)


def test_thresholds_of_the_validation_split_are_no_rivals_there(results):
    best = results_tables.headline_table(results, ("tcam", "layercam")).best
    for row in results["rows"]:
        if row["threshold"] in ("val", "val_per_class"):
            row["corloc"] = 99.0
    assert results_tables.headline_table(results, ("tcam", "layercam")).best != best
    table = results_tables.headline_table(results | {"split": "validation"}, ("tcam", "layercam"))
    assert table.best == best


def test_the_csv_holds_every_number_once(results):
    lines = list(csv.DictReader(io.StringIO(to_csv(results))))
    ours = [line for line in lines if line["source"] == "this run"]
    assert len(ours) == len(results["rows"]) * (2 + len(CLASSES))
    keys = [
        tuple(v for k, v in line.items() if k not in ("corloc", "low", "high")) for line in ours
    ]
    assert len(set(keys)) == len(keys)
    wanted = {"method": "tcam", "threshold": "fixed", "iou": "0.7", "class": "mean"}
    wanted |= {"class_from": "truth", "regions": "all", "localisation": "top1"}
    (line,) = [x for x in ours if all(x[k] == v for k, v in wanted.items())]
    value = _corloc(results, threshold="fixed", iou=0.7, regions="all", localisation="top1")
    assert float(line["corloc"]) == float(value) == float(line["low"]) + 1
    others = [line for line in lines if line["source"] != "this run"]
    assert len(others) == 24 * 11 + 2


def test_a_report_is_of_whole_results_of_its_classes(results, tmp_path):
    methods, names = ["tcam", "layercam"], results["classes"]
    results["tau"] = {"tcam": 0.25, "layercam": None}
    results_tables.check_complete(results, get_config(), methods, names, tmp_path)
    for changed, told in (
        ({"rows": results["rows"][:20]}, "cannot be shown: there is no row"),
        ({"rows": []}, "cannot be shown: there is no row"),
        ({"tau": {}}, "must have a threshold tau of"),
        ({"classes": names[::-1]}, "cannot be shown: its classes are"),
    ):
        with pytest.raises(InputError, match=rf"results\.json {told}.*tcam evaluate"):
            results_tables.check_complete(results | changed, get_config(), methods, names, tmp_path)


def test_markdown():
    table = Table("Title", ["a", "b"], [["x", "1.0"]], "Note.")
    assert to_markdown(table) == ("**Title**\n\n| a | b |\n| --- | ---: |\n| x | 1.0 |\n\nNote.")
    assert "| **x** | 1.0 |" in to_markdown(table._replace(best=[0]))
