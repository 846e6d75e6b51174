"""The time per frame of every method."""

import json

import pytest

from tcam_jax.report.sections import time_section
from tcam_jax.report.times import time_table
from tcam_jax.runtime.errors import InputError


def test_times_stand_beside_the_papers(tmp_path):
    figures = {
        "device": "2 CPU cores",
        "jax": "0.10",
        "network": "ResNet-50, 224 px, float32",
        "rows": [
            {"method": "tcam", "batch": 1, "milliseconds": 300.0},
            {"method": "tcam", "batch": 8, "milliseconds": 200.0},
            {"method": "classifier", "batch": 1, "milliseconds": 100.0},
        ],
    }
    table = time_table(figures)
    assert list(table.header) == ["method", "batch 1", "batch 8", "paper"]
    assert table.rows == [["tcam", "300.0", "200.0", "18.5"], ["classifier", "100.0", "–", "–"]]
    assert "2 CPU cores" in table.note
    path = tmp_path / "time_per_frame.json"
    assert time_section(path) is None
    path.write_text(json.dumps(figures))
    assert time_section(path).groups[0].tables == [table]
    figures["rows"][1]["milliseconds"] = "fast"
    path.write_text(json.dumps(figures))
    with pytest.raises(InputError, match=r"frame\.json is damaged: rows\[1\].milliseconds"):
        time_section(path)
