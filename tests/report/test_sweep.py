"""The page of a sweep, and several sweeps in one table; pictures: tests/launch/test_ablate.py."""

import copy
import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from tcam_jax.data.truth import Truth
from tcam_jax.report.ablation import summaries_in
from tcam_jax.report.bars import Bar, bar_plot
from tcam_jax.report.beside import beside
from tcam_jax.report.page import render
from tcam_jax.report.sweep import beginning, curves_section, rows_shown, table_sections
from tcam_jax.report.sweep_frames import FRAMES, frames_shown
from tests.hostile_names import CLASS, is_plain, shown
from tests.report.test_ablation import COMPARED, TABLE, summarise

SUMMARY = summarise([TABLE], COMPARED)


def other(dataset, baseline="TCAM"):
    changed = copy.deepcopy(SUMMARY) | {"dataset": dataset}
    changed["tables"][0]["baseline"] = baseline
    return changed


def test_sweeps_beside_each_other():
    missing = other("photos")
    del missing["tables"][0]["rows"][2]
    (table,) = beside([SUMMARY, missing])
    pair = ["shapes (default), resnet18", "above TCAM", "photos (default), resnet18", "above TCAM"]
    assert table.header == ["Losses", *pair]
    by_title = {cells[0]: list(cells[1:]) for cells in table.rows}
    assert by_title["TCAM"] == ["75.0 ± 0.0", "–", "–", "–"]
    assert by_title["LayerCAM"][1] == "-37.5 (-50.0 to -25.0)"
    assert by_title["half, of it"][2] == "25.0" and not table.strong
    without_baseline = beside([SUMMARY, other("photos", "")])[0]
    assert without_baseline.header[4] == "above LayerCAM"
    place = [cells[0] for cells in without_baseline.rows].index("TCAM")
    assert without_baseline.rows[place][4] == "+37.5 (25.0 to 50.0)"
    assert (place, 4) in without_baseline.strong and (place, 2) not in without_baseline.strong


def test_sweeps_of_one_dataset_are_numbered():
    (table,) = beside([SUMMARY, other("photos"), SUMMARY])
    names = ["shapes (default), resnet18, sweep 1", "photos (default), resnet18"]
    assert table.header[1::2] == [*names, "shapes (default), resnet18, sweep 3"]


def test_sweeps_of_other_checkpoints_say_so():
    names = beside([SUMMARY, SUMMARY | {"select_by": "none"}])[0].header[1::2]
    assert [name.rpartition(", ")[2] for name in names] == [
        "checkpoints by: boxes",
        "checkpoints by: none",
    ]


def test_sweeps_without_a_table_in_common():
    changed = other("photos")
    changed["tables"][0]["name"] = "another"
    assert beside([SUMMARY, changed]) == []


def test_the_page_begins_with_the_best_row():
    found = beginning(SUMMARY, Path("runs/mine"))
    assert found.title == "Sweep on shapes: mine"
    assert found.figure == "75.0" and "CorLoc of TCAM, the best row of Losses" in found.explanation
    assert ("Random seeds", "0, 1") in found.facts and ", τ without boxes;" in found.explanation
    unboxed = beginning(SUMMARY | {"select_by": "none"}, Path("runs/mine"))
    assert ", no true box;" in unboxed.explanation
    assert found.files == ("ablation.md", "ablation.csv")
    validation = beginning(SUMMARY | {"split": "validation"}, Path("runs/mine"))
    assert validation.files == ("ablation_validation.md", "ablation_validation.csv")


def test_the_page_has_tables_bars_and_costs(tmp_path):
    sections = table_sections(SUMMARY, [other("photos")])
    assert [section.title for section in sections] == ["Losses", "Beside other sweeps"]
    page = render(beginning(SUMMARY, tmp_path), sections)
    assert '<td class="strong">+37.5 (25.0 to 50.0)</td>' in page
    assert "<summary>Costs</summary>" in page and "ablation.md too" in page
    assert page.count("<svg") == 1 and "http" not in page.replace("http://www.w3.org", "")


def test_hostile_names_are_text_in_the_page(tmp_path):
    changed = copy.deepcopy(SUMMARY) | {"dataset": CLASS, "config": CLASS, "encoder": CLASS}
    table = changed["tables"][0] | {"title": CLASS, "note": CLASS, "name": CLASS}
    for row in table["rows"]:
        row |= {"title": f"{row['run']} {CLASS}", "run": CLASS}
    changed["tables"] = [table | {"baseline": CLASS}]
    sections = table_sections(changed, [changed])
    page = render(beginning(changed, tmp_path / CLASS.replace("/", "")), sections)
    assert "<script" not in page and all(map(is_plain, page.split("\n")))


def test_bars_are_drawn_with_their_dots():
    bars = [Bar(CLASS, 50.0, [40.0, 60.0]), Bar("x" * 99, 20.0, [20.0])]
    root = ElementTree.fromstring(bar_plot(bars, "CorLoc (%)", CLASS))
    texts = [x.text for x in root.iter() if x.tag.endswith("}text")]
    assert "CorLoc (%)" in texts and f"{'x' * 39}…" in texts
    assert any(text and text.startswith(shown(CLASS)[:20]) for text in texts)
    assert root.get("aria-label") == shown(CLASS)
    dots = [x for x in root.iter() if x.tag.endswith("}use") and "clip" not in x.attrib]
    assert len(dots) >= 3


def test_curves_are_a_line_a_run(tmp_path):
    for name, loss in (("seed0/full", 3.0), ("seed1/half", 2.0)):
        folder = tmp_path / name / "tcam"
        folder.mkdir(parents=True)
        lines = [
            {"step": 1, "epoch": 0.1, "loss": loss},
            {"step": 2, "epoch": 1.0, "loss": 1.0, "validation_corloc_tcam": 50.0},
            {"step": 3, "epoch": 2.0, "loss": 0.5, "validation_corloc_tcam": None},
            {"step": 4, "epoch": 3.0, "validation_corloc_tcam": 60.0, "validation_accuracy": 9.0},
        ]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
    section = curves_section(SUMMARY["tables"][0], tmp_path)
    plots = section.groups[0].plots
    assert [plot.caption.split(",")[0] for plot in plots] == [
        "loss of stage 2",
        "CorLoc on validation frames in stage 2",
    ]
    assert all("TCAM" in plot.svg and "half, of it" in plot.svg for plot in plots)
    assert "LayerCAM" not in plots[0].svg  # it was trained by no run of its own
    assert curves_section(SUMMARY["tables"][0], tmp_path / "nothing") is None


def test_rows_that_have_a_map_are_shown():
    titles = [row["title"] for row in rows_shown(SUMMARY["tables"][0])]
    assert titles == ["LayerCAM", "TCAM", "**half, of it**"]  # no centre box


@pytest.mark.parametrize(("classes", "count"), [(3, 3), (10, FRAMES)])
def test_frames_are_one_of_a_class(classes, count):
    labels = np.repeat(np.arange(classes), 5)
    ids = [f"{k}/v/s/{i}.jpg" for i, k in enumerate(labels)]
    sizes = np.tile(np.array([[9, 9]], np.int32), (len(ids), 1))
    frames = frames_shown(
        Truth(np.arange(len(ids)), ids, labels, sizes, [np.zeros((0, 4))] * len(ids))
    )
    assert len(frames) == count == len({labels[i] for i in frames})
    assert frames[0] == 2 and frames[-1] == len(ids) - 3


def test_a_folder_may_have_a_sweep_of_each_split(tmp_path):
    assert summaries_in(tmp_path) == []
    (tmp_path / "ablation_validation.json").write_text(
        json.dumps(SUMMARY | {"split": "validation"})
    )
    (tmp_path / "ablation.json").write_text(json.dumps(SUMMARY))
    assert [summary["split"] for summary in summaries_in(tmp_path)] == ["test", "validation"]
