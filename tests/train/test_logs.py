"""Lines of metrics that a kill, a power cut or somebody's editor left: the others are read."""

import json

import pytest

from tcam_jax.report.curves import training_curves
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.log import log
from tcam_jax.train.logs import MetricsWriter, read_metrics

FIRST = {"step": 1, "epoch": 0.1, "loss": 2.0}
LAST = {"step": 3, "epoch": 0.3, "loss": 1.0, "corloc": None, "extra": float("inf")}


@pytest.mark.parametrize(
    "line",
    [
        b'{"step": 2, "lo',
        b"",
        b"\0\0\0",
        b"\xff\xfe",
        b"7",
        b"[1]",
        b"null",
        b"[" * 10**5,
        b'{"loss": 1.0}',
        b'{"step": "2", "loss": 1.0}',
        b'{"step": 2.5}',
        b'{"step": true}',
        b'{"step": 2, "loss": "low"}',
        b'{"step": 2, "loss": [1]}',
        b'{"step": 2, "epoch": 1e999}',
        b'{"step": 2, "step": 3}',
    ],
)
def test_a_line_that_is_none_is_left_out_with_a_warning(tmp_path, monkeypatch, line):
    warnings: list[str] = []
    monkeypatch.setattr(log, "warning", lambda text, *args: warnings.append(text % args))
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b"\n".join([*(json.dumps(x).encode() for x in (FIRST,)), line, b""]))
    with path.open("a") as file:
        file.write(json.dumps(LAST) + '\n{"step": 4')  # cut off by a kill: nothing is said
    assert read_metrics(path) == [FIRST, LAST]
    assert warnings == [f"{path}: what cannot be read is left out (line 2)"]
    assert [name for name, _ in training_curves(read_metrics(path), "stage")] == ["loss"]
    MetricsWriter(tmp_path, resumed_step=1).close()
    assert read_metrics(path) == [FIRST] and len(warnings) == 3


def test_what_is_no_file_is_one_error(tmp_path):
    (tmp_path / "metrics.jsonl").mkdir()
    with pytest.raises(InputError, match=r"metrics\.jsonl cannot be read .*Delete it"):
        read_metrics(tmp_path / "metrics.jsonl")
