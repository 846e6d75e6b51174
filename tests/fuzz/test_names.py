"""Names of files and classes: the same when read again, and one cell, line or file each."""

import csv
import io
import json
import re
import tempfile
from pathlib import Path

import tensorflow_datasets as tfds
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from tcam_jax.data.class_names import check_class_names
from tcam_jax.predict.formats.records import Records
from tcam_jax.predict.formats.registry import FORMATS, convert
from tcam_jax.report.csv_file import to_csv
from tcam_jax.report.page import Group, Section, Summary, render
from tcam_jax.report.table import Table, to_markdown
from tcam_jax.runtime.terminal import one_line
from tests.fuzz import damage, outcome
from tests.predict.formats.lines import record, write_lines

ANY = damage.TEXT | damage.names(no_text=True)
CLASSES = st.lists(damage.names() | damage.TEXT, min_size=1, max_size=4, unique=True)
PATHS = st.lists(damage.names(no_text=True), min_size=1, max_size=3).map("/".join)
_MARK = r"((?:^|[;\t\r\n])\s*)'(?='*[=+\-@\uff1d\uff0b\uff0d\uff20])"  # of docs/predict.md


def _cells(text: str) -> list[list[str]]:
    rows = csv.reader(io.StringIO(text, newline=""))
    return [[re.sub(_MARK, r"\1", cell) for cell in row] for row in rows]


@outcome.examples(50)
@given(st.dictionaries(PATHS, st.booleans(), min_size=1, max_size=4), CLASSES, st.data())
def test_of_files_and_classes_in_every_format(files, classes, data):
    class_name = data.draw(st.sampled_from(classes))
    shares = {name: 1 / (1 + place) for place, name in enumerate(classes)}
    shown = {
        "class": class_name,
        "probabilities": shares,
        "boxes": [[1.0, 2.0, 3.0, 4.0]],
        "scores": [1.0],
    }
    lines = [
        record(f"in/{name}", 3 * is_video, 0.1 if is_video else None, **shown)
        for name, is_video in files.items()
    ]
    names = {f"{name}/000003.jpg" if is_video else name for name, is_video in files.items()}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        records = outcome.of(
            lambda: Records([write_lines(Path(folder, "p.jsonl"), *lines)], Path("in"))
        )
        if isinstance(records, outcome.Refused):
            return
        made = outcome.of(lambda: convert(records, out, [f for f in FORMATS if f != "yolo"]))
        assert not isinstance(made, outcome.Refused)
        coco = json.loads((out / "coco.json").read_text())
        assert [category["name"] for category in coco["categories"]] == classes
        assert {image["file_name"] for image in coco["images"]} == names
        _, *rows = _cells((out / "predictions.csv").read_bytes().decode())
        assert len(rows) == len(files) and {row[5] for row in rows} == {class_name}
        mot = [path for path in (out / "mot").rglob("*") if path.is_file()]
        assert sum(len(path.read_text().splitlines()) for path in mot) == len(files)
        if not isinstance(outcome.of(lambda: convert(records, out, ["yolo"])), outcome.Refused):
            assert sum(path.is_file() for path in (out / "yolo/labels").rglob("*")) == len(files)
            about = yaml.safe_load((out / "yolo/data.yaml").read_text(encoding="utf-8"))
            assert about["names"] == classes


@outcome.examples(40)
@given(CLASSES)
@example(["new\u2028line", "b"])
def test_of_classes_where_a_dataset_keeps_them(classes):
    if isinstance(outcome.of(lambda: check_class_names(classes, "here")), outcome.Refused):
        return
    with tempfile.TemporaryDirectory() as folder:
        tfds.features.ClassLabel(names=classes).save_metadata(folder, "label")
        again = tfds.features.ClassLabel(num_classes=len(classes))
        again.load_metadata(folder, "label")
        assert again.names == classes


@outcome.examples(40)
@given(CLASSES, ANY, ANY)
def test_in_a_report(classes, dataset, config):
    rows = [
        {
            **{"method": "tcam", "class_from": "truth", "threshold": "val", "regions": "all"},
            **{"iou": 0.5, "localisation": "gt_known", "corloc": 1.5, "interval": None},
            **{"corloc_frames": 3.0, "per_class": [2.0] * len(classes)},
        }
    ]
    results = {"dataset": dataset, "config": config, "split": "test", "classes": classes}
    cells = _cells(to_csv(results | {"rows": rows}))
    place = cells[0].index("class")
    assert [row[place] for row in cells[3 : 3 + len(classes)]] == classes
    table = Table(dataset, ["class", config], [[name, "1.5"] for name in classes], config)
    markdown = to_markdown(table).split("\n")
    lines = [line for line in markdown if re.match(r"\| .* \|$", line)]
    assert len(lines) == 2 + len(classes)
    assert all(len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == 3 for line in lines)
    group = Group(dataset, config, tables=[table])
    page = render(
        Summary(dataset, "1", config, [("a", name) for name in classes]),
        [Section("s", dataset, [group])],
    )
    assert page.count("<b>") == 1 and page.encode()


@outcome.examples(100)
@given(ANY)
def test_in_one_line_of_a_terminal(text):
    line = one_line(text)
    assert one_line(line) == line
    assert line.encode().count(b"\n") == 0 and len(line.splitlines()) <= 1 and "\x1b" not in line
    assert text.isprintable() <= (line == text)
