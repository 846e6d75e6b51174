"""All numbers of a run as one CSV, published ones below."""

import io
from collections.abc import Mapping

from tcam_jax.evaluate.results import Results
from tcam_jax.report.published import published_rows
from tcam_jax.runtime.csv_rows import row_writer


def to_csv(results: Results) -> str:
    """Return every row of `results.json`, and what was published, a line a number."""
    text = io.StringIO()
    protocol = ["class_from", "threshold", "regions", "iou", "localisation"]
    columns = ["dataset", "config", "split", "method", *protocol, "class", "corloc", "low", "high"]
    columns.append("source")
    write_row = row_writer(text)
    write_row(columns)

    def write(cells: Mapping[str, object]) -> None:
        write_row(cells.get(name) for name in columns)

    dataset: dict[str, object] = {
        "dataset": results["dataset"],
        "config": results["config"],
        "split": results["split"],
    }
    for row in results["rows"]:
        low, high = row["interval"] or (None, None)
        cells: Mapping[str, object] = row
        about = dataset | {name: cells[name] for name in ["method", *protocol]}
        about["source"] = "this run"
        mean = {"class": "mean", "corloc": row["corloc"], "low": low, "high": high}
        write(about | mean)
        write(about | {"class": "frames", "corloc": row["corloc_frames"]})
        for name, value in zip(results["classes"], row["per_class"], strict=True):
            write(about | {"class": name, "corloc": value})
    for other in published_rows(results["dataset"], results["config"]):
        about = dataset | {"method": f"{other.method} ({other.reference})"}
        about |= {"source": f"{other.source}; {other.protocol}"}
        for name, value in {**other.per_class, "mean": other.mean}.items():
            write(about | {"class": name, "corloc": value})
    return text.getvalue()
