"""The time per frame of every method, as `launch.benchmark_frames` measured it."""

from typing import TypedDict

from tcam_jax.report.published import published_rows
from tcam_jax.report.table import Table, number
from tcam_jax.runtime.shapes import Count


class _Time(TypedDict):
    method: str
    batch: Count
    milliseconds: float


class Times(TypedDict):
    """What is shown of a `time_per_frame.json` of `launch.benchmark_frames`."""

    network: str
    device: str
    jax: str
    rows: list[_Time]


def time_table(figures: Times) -> Table:
    """Return the time per frame of each method, the paper's column beside.

    Args:
      figures: of `launch.benchmark_frames`.
    """
    batches = list(dict.fromkeys(row["batch"] for row in figures["rows"]))
    by_method: dict[str, dict[int, float]] = {}
    for row in figures["rows"]:
        by_method.setdefault(row["method"], {})[row["batch"]] = row["milliseconds"]
    paper = {row.ours: row.milliseconds for row in published_rows("youtube_objects", "v1.0")}
    rows = [
        [method, *(number(times.get(batch)) for batch in batches), number(paper.get(method))]
        for method, times in by_method.items()
    ]
    header = ["method", *(f"batch {batch}" for batch in batches), "paper"]
    note = (
        f"Milliseconds a frame; {figures['network']}, {figures['device']}, jax {figures['jax']}. "
        "Ours is everything from a frame to its map in the host's memory. The paper's is ResNet50 "
        "at 224 px on a GPU it does not name; there CAM and the Grad methods are timed after the "
        "forward pass, TCAM with it: read each column for itself."
    )
    return Table("", header, rows, note)
