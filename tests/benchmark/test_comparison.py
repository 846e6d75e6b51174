"""The benchmark's table against numbers worked out by hand."""

import pytest

from tcam_jax.benchmark.comparison import compare, to_markdown
from tcam_jax.benchmark.sides import Measured

MACHINE = {"device": "1 x cpu", "platform": "cpu", "flops_per_s": 200e9, "bytes_per_s": 10e9}
FIGURES = {
    "frames": 4,
    "compile_s": 2.5,
    "working_bytes": 3 * 2**20,
    "flops": 10e9,
    "xla_flops": 9e9,
    "xla_bytes": 0.3e9,
}


@pytest.fixture
def measured():
    ours = {"machine": MACHINE, "step": FIGURES, "own": FIGURES}
    theirs = {"step": {"compile_s": 1.0, "working_bytes": None}}
    return {
        "ours": Measured({"step": [0.1, 0.2, 0.3], "own": [0.1] * 3}, ours),
        "torch": Measured({"step": [0.3, 0.2, 0.6]}, theirs),
    }


def test_rows_by_hand(measured):
    figures = compare(measured)
    assert figures["machine"] == MACHINE
    step, own = figures["rows"]
    assert step["ours"]["milliseconds"] == pytest.approx(200)
    assert step["ours"]["quartiles"] == pytest.approx([150, 250])
    assert step["torch"]["milliseconds"] == pytest.approx(300)
    assert step["ratio"] == pytest.approx(2)  # of 3, 1 and 2: round by round
    assert step["of_flops"] == pytest.approx(10 / 0.2 / 200)
    assert step["of_bandwidth"] == pytest.approx(0.3 / 0.2 / 10)
    assert own["name"] == "own" and "ratio" not in own and "torch" not in own


def test_table_by_hand(measured):
    lines = to_markdown(compare(measured)).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:4]]
    step = ["step", "200.0 (150.0–250.0)", "300.0 (250.0–450.0)", "2.00", "20.0", "2.5", "3", "–"]
    assert cells[0] == [*step, "10.00", "25.0", "15.0"]
    own = ["own", "100.0 (100.0–100.0)", "–", "–", "40.0", "2.5", "3", "–"]
    assert cells[1] == [*own, "10.00", "50.0", "30.0"]
    assert "200 GFLOP/s" in lines[-1] and "10.0 GB/s" in lines[-1]


def test_without_the_other_side(measured):
    del measured["torch"]
    assert all("ratio" not in row for row in compare(measured)["rows"])
