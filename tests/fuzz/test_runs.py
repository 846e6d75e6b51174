"""JSON of runs, exported models, datasets and sweeps: what was written, or one refusal."""

import copy
import functools
import hashlib
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tcam_jax.config.places import located
from tcam_jax.config.record import load_config, read_environment
from tcam_jax.data.builders.registry import check_same
from tcam_jax.evaluate.results import read_results, write_results
from tcam_jax.predict import exported
from tcam_jax.report import ablation, ablation_tables
from tcam_jax.report.csv_file import to_csv
from tcam_jax.runs.identity import record_dataset
from tcam_jax.runs.networks import read_classes
from tcam_jax.train.logs import read_metrics
from tests.fuzz import damage, outcome
from tests.runs.test_identity import Own
from tests.train.device_matrix import small_config

PROTOCOL = {"class_from": "truth", "threshold": "val", "regions": "largest", "iou": 0.5}
ROW = PROTOCOL | {
    **{"method": "tcam", "checkpoint": "tcam/best@3", "localisation": "gt_known", "tau": 0.2},
    **{"corloc": 50.0, "interval": [1.0, 60.0], "corloc_frames": 50.0, "per_class": [50.0, None]},
}
RESULTS = {
    **{"dataset": "d", "config": "c", "split": "test", "frames": 3, "boxes": 3, "videos": 2},
    **{"classes": ["cat", "dog"], "rows": [ROW, ROW | {"tau": {"cat": 0.1, "dog": 0.2}}]},
    **{"curves": {"tau": [0.1, 0.2], "corloc": {"tcam": [50.0, 25.0]}}},
    **{"classification": {"tcam/best": 75.0}, "tau": {"tcam": 0.1, "cam": None}},
    **{"seconds_per_frame": {"tcam/best": None}},
}
SPREAD = {"mean": 1.0, "std": None}
COMPARISON = {"mean": 1.0, "interval": [-1.0, 2.0]}
SCORES = {"without_boxes": 1.0, "val": 1.0, "test": 2.0, "accuracy": None, "seconds": 9.0}
ABLATION = {
    **{"schema": 2, "dataset": "d", "config": "c", "encoder": "e", "split": "test"},
    "tables": [
        {
            **{"name": "t", "title": "T", "note": "n", "baseline": "x"},
            "rows": [
                {
                    **{"run": "r", "title": "x", "method": "tcam", "rule": "otsu"},
                    **{"published": 3.0, "runs": {"0": SCORES}},
                    **dict.fromkeys(("without_boxes", "val", "test"), SPREAD),
                    **{"against_cam": COMPARISON, "against_baseline": None},
                    "cost": {"parameters": 9, "localiser": 2, "milliseconds": 1.5},
                }
            ],
        }
    ],
}
MODEL = {
    **{"schema": exported.SCHEMA, "format": "stablehlo", "classes": ["cat", "dog"], "size": 32},
    **{"tau": 0.4, "of_logits": True, "background": None, "platforms": ["cpu"]},
    "sha256": dict.fromkeys(exported.stablehlo.FILES, hashlib.sha256(b"").hexdigest()),
}


def _results(folder: Path) -> None:
    assert to_csv(read_results(folder)).encode()


def _ablation(folder: Path) -> None:
    summary = ablation.read_summary(folder / "ablation.json")
    assert ablation_tables.to_markdown(summary).encode()


def _exported(folder: Path) -> None:
    for name in exported.stablehlo.FILES:
        (folder / name).touch()
    exported.load(folder)


def _dataset(folder: Path) -> None:
    record_dataset(small_config(), folder, Own())


READERS = {
    "results.json": _results,
    "ablation.json": _ablation,
    "model.json": _exported,
    "config.json": load_config,
    "classes.json": read_classes,
    "dataset.json": _dataset,
    "environment.json": read_environment,
    "origin.json": lambda folder: check_same(folder, {"fractions": [0.7, 0.3], "boxes": None}),
    "metrics.jsonl": lambda folder: read_metrics(folder / "metrics.jsonl"),
}


@functools.cache
def _written(name: str) -> bytes:
    """The file as it is when nothing happened to it."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        match name:
            case "results.json":
                write_results(folder / name, RESULTS)
            case "dataset.json":
                _dataset(folder)
            case "config.json":
                return json.dumps(located(small_config()).to_dict()).encode()
            case _:
                packages = {"jax": "0.10", "numpy": "2"}
                about = {"python": "3.11", "packages": packages, "devices": ["cpu"]}
                return (
                    json.dumps(
                        {
                            "ablation.json": ABLATION,
                            "model.json": MODEL,
                            "classes.json": ["cat", "dog"],
                            "environment.json": about | {"processes": 1, "git_revision": None},
                            "origin.json": {"fractions": [0.7, 0.3], "boxes": None, "files": 3},
                            "metrics.jsonl": {"step": 3, "epoch": 0.5, "loss": 1.5},
                        }[name]
                    ).encode()
                    + b"\n"
                )
        return (folder / name).read_bytes()


def _read(name: str, content: bytes):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, name).write_bytes(content)
        return outcome.of(lambda: READERS[name](Path(folder)))


@pytest.mark.parametrize("name", READERS)
@outcome.examples(15)
@given(st.data())
def test_files_of_json(name, data):
    whole = _read(name, _written(name))
    assert isinstance(whole, outcome.Refused) == (name == "model.json")  # its program is empty
    tree = data.draw(damage.json_of(json.loads(_written(name))))
    _read(name, json.dumps(tree).encode() + b"\n")
    content = data.draw(damage.cut(_written(name)) | damage.bytes_of(_written(name)))
    _read(name, content)
    if data.draw(st.booleans()):
        _read(name, data.draw(st.sampled_from([b"[" * 10**5, b"\0" * 99, b"{}", b"null", b"3"])))


@example({"mean": None, "std": 3.0})
@outcome.examples(10)
@given(st.fixed_dictionaries(dict.fromkeys(("mean", "std"), st.none() | st.floats(0, 100))))
def test_means_of_a_sweep(spread):
    tree = copy.deepcopy(ABLATION)
    tree["tables"][0]["rows"][0]["val"] = spread
    assert not isinstance(_read("ablation.json", json.dumps(tree).encode()), outcome.Refused)
