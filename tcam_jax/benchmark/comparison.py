"""Two sides' times beside each other, and beside what the machine can do."""

from collections.abc import Mapping
from typing import Any

from tcam_jax.benchmark.rounds import ratio, summary
from tcam_jax.benchmark.sides import Measured
from tcam_jax.report.table import Table, number
from tcam_jax.report.table import to_markdown as table_to_markdown

_MEBIBYTE = 2**20


def compare(measured: Mapping[str, Measured]) -> dict[str, Any]:
    """Return the machine, and a row for each way of ours.

    Args:
      measured: of "ours" and, unless it was not measured, of "torch"; see `our_ways`, `torch_ways`.

    Returns:
      "machine": see `our_ways`. "rows": for each way "name" and "frames", how many a call has;
      "ours" and, where it has it, "torch", each with milliseconds a call, quartiles, compile_s and
      working_bytes; "ratio", the median over the rounds of torch's time to ours; our "flops",
      "xla_flops" and "xla_bytes"; "of_flops" and "of_bandwidth", the shares of the machine's
      ceilings that they amount to.
    """
    ours, torch = measured["ours"], measured.get("torch")
    machine, rows = ours.figures["machine"], []
    for name, seconds in ours.seconds.items():
        figures = dict(ours.figures[name])
        sides = {"ours": summary(seconds) | _of(figures, "compile_s", "working_bytes")}
        row = {"name": name, "frames": figures["frames"], **sides}
        if torch is not None and name in torch.seconds:
            row["torch"] = summary(torch.seconds[name]) | dict(torch.figures[name])
            row["ratio"] = ratio(torch.seconds[name], seconds)
        calls_a_second = 1e3 / row["ours"]["milliseconds"]
        row |= _of(figures, "flops", "xla_flops", "xla_bytes")
        row["of_flops"] = figures["flops"] * calls_a_second / machine["flops_per_s"]
        row["of_bandwidth"] = figures["xla_bytes"] * calls_a_second / machine["bytes_per_s"]
        rows.append(row)
    return {"machine": machine, "rows": rows}


def to_markdown(figures: Mapping[str, Any]) -> str:
    """Return the table of `compare`'s figures, and what it says of the machine."""
    header = ["", "ours, ms", "PyTorch, ms", "PyTorch ÷ ours", "frames/s", "compiled in, s"]
    header += ["memory, MiB", "PyTorch's", "GFLOP", "of matmul, %", "of bandwidth, %"]
    machine = figures["machine"]
    note = (
        f"{machine['device']}, {machine['flops_per_s'] / 1e9:.0f} GFLOP/s in a matrix product and "
        f"{machine['bytes_per_s'] / 1e9:.1f} GB/s in a copy measured here. Milliseconds are of a "
        "call, medians with quartiles; memory is what a call needs beside weights and inputs."
    )
    rows = [_cells(row) for row in figures["rows"]]
    return table_to_markdown(Table("", header, rows, note))


def _cells(row: Mapping[str, Any]) -> list[str]:
    ours, torch = row["ours"], row.get("torch", {})
    frames = row["frames"] * 1e3 / ours["milliseconds"]
    return [
        row["name"],
        _spread(ours),
        _spread(torch) if torch else "–",
        number(row.get("ratio"), 2),
        number(frames),
        number(ours["compile_s"]),
        _mebibytes(ours["working_bytes"]),
        _mebibytes(torch.get("working_bytes")),
        number(row["flops"] / 1e9, 2),
        number(100 * row["of_flops"]),
        number(100 * row["of_bandwidth"]),
    ]


def _spread(side: Mapping[str, Any]) -> str:
    low, high = side["quartiles"]
    return f"{side['milliseconds']:.1f} ({low:.1f}–{high:.1f})"


def _mebibytes(count: int | None) -> str:
    return number(None if count is None else count / _MEBIBYTE, 0)


def _of(figures: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: figures[name] for name in names}
