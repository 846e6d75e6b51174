"""Names of files and classes, as hostile as they can be, through every writer of files."""

import csv
import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from PIL import Image

from tcam_jax.predict.drawing.fonts import drawable
from tcam_jax.predict.formats.records import Records
from tcam_jax.predict.formats.registry import FORMATS, convert
from tcam_jax.predict.given_files import find_given
from tcam_jax.report import ablation_plots, ablation_tables
from tcam_jax.report.csv_file import to_csv
from tcam_jax.report.curves import line_plot
from tcam_jax.report.page import Group, Section, Summary, render
from tcam_jax.report.pictures import Figure
from tcam_jax.report.table import Table, to_markdown
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.files import write_whole
from tests.hostile_names import CLASS, FILE, is_plain, shown
from tests.predict.formats.lines import BOXES, record, write_lines


def test_in_markdown_it_is_one_cell():
    table = Table(CLASS, ["a", CLASS], [[CLASS, "-1.5"], [FILE, "2"]], f"of {CLASS}", best=[1])
    text = to_markdown(table)
    title, _, header, rule, *rows, _, note = text.split("\n")
    for line in (header, rule, *rows):
        assert len(re.findall(r"(?<!\\)\|", line)) == 3
    assert rows[0].endswith(" | -1.5 |") and rows[1].startswith("| **=x")
    assert all(map(is_plain, (title, header, *rows, note)))
    assert "<" not in text and not re.search(r"(?<!\\)[`$]", text)


RESULTS = {
    "dataset": "d", "config": "c", "split": "test", "classes": [CLASS, "-1"],
    "rows": [{
        "method": "tcam", "class_from": "truth", "threshold": "val", "regions": "largest",
        "iou": 0.5, "localisation": "gt_known", "corloc": -1.5, "interval": [-2.0, 1.0],
        "corloc_frames": 3.0, "per_class": [-1.5, None],
    }],
}  # fmt: skip
SPREADS = {name: {"mean": 1.0, "std": None} for name in ("without_boxes", "val", "test")}
SUMMARY = {
    "dataset": CLASS, "config": CLASS, "encoder": CLASS, "split": "test",
    "tables": [{"name": "t", "title": CLASS, "note": CLASS, "baseline": CLASS, "rows": [{
        "run": "r", "title": CLASS, "method": "tcam", "rule": CLASS, "published": -1.5,
        "runs": {"0": {
            "without_boxes": 1.5, "val": -1.5, "test": 2.0, "accuracy": None, "seconds": 60.0,
        }},
        **SPREADS, "against_cam": {"mean": -1.5, "interval": [-2.0, 1.0]}, "against_baseline": None,
        "cost": None,
    }]}],
}  # fmt: skip


def predictions(folder: Path) -> Path:
    """Lines of two images and a video with such names, of a network with such a class."""
    changes = {"class": CLASS, "probabilities": {CLASS: 0.75, "猫": 0.25}}
    lines = [
        record(FILE, **BOXES, **changes), record(f"dir\n|{FILE}/{FILE}", **changes),
        record(f"{FILE}.mp4", 3, 0.1, **BOXES, **changes),
    ]  # fmt: skip
    return write_lines(folder / "predictions.jsonl", *lines)


def written(folder: Path) -> str:
    convert(Records([predictions(folder)]), folder, ["csv"])
    return (folder / "predictions.csv").read_bytes().decode()


@pytest.mark.parametrize(
    "text",
    [lambda _: to_csv(RESULTS), lambda _: ablation_tables.to_csv(SUMMARY), written],
    ids=["report", "ablation", "predictions"],
)
def test_in_csv_no_cell_is_a_formula_and_numbers_are_numbers(tmp_path, text):
    cells = [cell for row in csv.reader(io.StringIO(text(tmp_path), "")) for cell in row]
    page = (Path(__file__).parents[1] / "docs/predict.md").read_text()
    (back,) = re.findall(r'names = .*replace\(r"(.*)", r"\\1", regex=True\)', page)
    names = {re.sub(back, r"\1", cell) for cell in cells}
    assert CLASS in names
    for cell in cells:
        for part in re.split(r"[;\t\r\n]", cell):
            assert not part.startswith(("=", "+", "-", "@")) or float(part), cell
    if not text(tmp_path).startswith("file"):
        assert "-1.5" in cells


def test_in_the_page_and_its_plots_it_is_text():
    svg = line_plot({CLASS: ([0.0, 1.0], [2.0, 3.0])}, "x", "y", CLASS)
    root = ElementTree.fromstring(svg)
    assert shown(CLASS) in [x.text for x in root.iter() if x.tag.endswith("}text")]
    assert root.get("aria-label") == shown(CLASS)
    figure = Figure("data:,", 1, 1, CLASS, CLASS)
    tables = [Table(CLASS, [CLASS], [[FILE]], CLASS, best=[0])]
    group = Group(CLASS, CLASS, figures=[figure], tables=tables)
    page = render(Summary(FILE, CLASS, CLASS, [(CLASS, FILE)]), [Section("s", CLASS, [group])])
    assert "<script" not in page and all(map(is_plain, page.split("\n")))
    assert (
        shown(FILE)
        .replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace('"', "&#34;")
        .replace("'", "&#39;")
        in page
    )


@pytest.mark.filterwarnings("ignore:.*Glyph")
def test_in_the_pictures_of_an_ablation_it_is_no_formula(tmp_path):
    ablation_plots.bars(SUMMARY["tables"][0], CLASS, tmp_path / "a.png")
    assert Image.open(tmp_path / "a.png").size[0] > 500
    with pytest.raises(InputError, match="cannot be written"):
        ablation_plots.bars(SUMMARY["tables"][0], CLASS, tmp_path / "a.png" / "b.png")


def test_in_pictures_it_is_seen_too():
    assert drawable("a\x1b[2J\u202eb", 1) == r"a\x1b[2J\u202eb"
    assert drawable("caf\udce9", 2) == r"caf\udce9"


def test_in_every_format_it_comes_back(tmp_path):
    records = Records([predictions(tmp_path / "lines")])
    for path in convert(records, tmp_path / "out", list(FORMATS)):
        assert path.exists()
    out = tmp_path / "out"
    data = yaml.safe_load((out / "yolo/data.yaml").read_text(encoding="utf-8"))
    assert data["names"] == [CLASS, "猫"]
    assert (out / "yolo/classes.txt").read_text(encoding="utf-8").split("\n")[:2] == data["names"]
    coco = json.loads((out / "coco.json").read_text())
    assert [category["name"] for category in coco["categories"]] == [CLASS, "猫"]
    assert {image["file_name"] for image in coco["images"]} == {
        FILE, f"dir\n|{FILE}/{FILE}", f"{FILE}.mp4/000003.jpg"
    }  # fmt: skip
    assert len(list(out.glob("mot/**/*.txt"))) == len(list(out.glob("yolo/labels/**/*.txt"))) == 3


@pytest.mark.parametrize("name", ["a\nb", " a", "a\u2028b", "\ud800"])
def test_yolo_refuses_a_class_that_is_no_line(tmp_path, name):
    line = record("in/a.jpg", **{"class": name, "probabilities": {name: 0.75}})
    with pytest.raises(InputError, match="of a class of .*rename"):
        convert(Records([write_lines(tmp_path / "p.jsonl", line)]), tmp_path, ["yolo"])


@pytest.mark.parametrize("file", ["a\0b", "\ud800.png"])
def test_what_no_file_can_be_called_is_refused(tmp_path, file):
    with pytest.raises(InputError, match="p.jsonl:1: file is "):
        Records([write_lines(tmp_path / "p.jsonl", record(file))])


def test_a_name_is_no_reason_for_a_file_not_to_be_written(tmp_path):
    write_whole(tmp_path / "a.html", FILE)
    there = (tmp_path / "a.html").read_bytes().decode()
    assert there == FILE.replace("\udce9", r"\udce9")


def test_results_keep_their_places_whatever_files_are_called(tmp_path):
    names = [FILE, "..png", "... .png", "con.png", "-rf.png", "~.png", "$HOME.png", "a..png"]
    for name in names:
        Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / name, "PNG")
    given = find_given([str(tmp_path / name) for name in names], tmp_path / "out")
    assert len(given.files) == len(names)
    for made in (given.overlays().values(), given.masks().values()):
        assert len(set(made)) == len(names)
        for one in map(Path, made):
            assert not one.is_absolute() and ".." not in one.parts and one.name == str(one)
