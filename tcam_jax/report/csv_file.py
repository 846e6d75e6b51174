"""All numbers of a run as one CSV, published ones below."""

import csv
import io
from collections.abc import Mapping

from tcam_jax.evaluate.results import Results
from tcam_jax.report.published import published_rows


def to_csv(results: Results) -> str:
    """Return every row of `results.json`, and what was published, a line a number."""
    text = io.StringIO()
    protocol = ["class_from", "threshold", "regions", "iou", "localisation"]
    columns = ["dataset", "config", "split", "method", *protocol, "class", "corloc", "low", "high"]
    writer = csv.DictWriter(text, [*columns, "source"], restval="", lineterminator="\n")
    writer.writeheader()
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
        writer.writerow(about | mean)
        writer.writerow(about | {"class": "frames", "corloc": row["corloc_frames"]})
        for name, value in zip(results["classes"], row["per_class"], strict=True):
            writer.writerow(about | {"class": name, "corloc": value})
    for other in published_rows(results["dataset"], results["config"]):
        about = dataset | {"method": f"{other.method} ({other.reference})"}
        about |= {"source": f"{other.source}; {other.protocol}"}
        for name, value in {**other.per_class, "mean": other.mean}.items():
            writer.writerow(about | {"class": name, "corloc": value})
    return text.getvalue()
