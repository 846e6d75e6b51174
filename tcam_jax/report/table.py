"""The results of a run as a text or Markdown table."""

from typing import Any

_TITLES = {
    "val": "τ from validation",
    "test": "τ maximised on {split}",
    "val_per_class": "τ per class from validation",
    "test_per_class": "τ per class, maximised on {split}",
    "fixed": "τ fixed",
    "otsu": "Otsu's, per map",
    None: "fixed box",
}


def results_table(results: dict[str, Any]) -> str:
    """Return CorLoc per class, their mean, and classification accuracy, as Markdown.

    A row a method and threshold; the other protocols are in `results.json`.

    Args:
      results: see `tcam_jax.evaluate.results`.
    """
    classes = results["classes"]
    header = ["method", "threshold", "τ", *(name[:9] for name in classes), "CorLoc", "95 %"]
    lines = [_line(header), _line(["---"] * 3 + ["---:"] * (len(classes) + 2))]
    for row in headline_rows(results):
        tau = row["tau"] if isinstance(row["tau"], float) else None
        cells = [row["method"], _TITLES[row["threshold"]].format(**results), _number(tau, 3)]
        cells += [_number(value) for value in row["per_class"]]
        interval = " to ".join(map(_number, row["interval"])) if row["interval"] else "–"
        lines.append(_line([*cells, _number(row["corloc"]), interval]))
    lines.append("")
    lines.append(
        f"CorLoc: percent of frames whose largest region has an IoU ≥ 0.5, mean over classes; "
        f"{results['dataset']}, {results['split']} split, {results['frames']} frames of "
        f"{results['videos']} videos. 95 %: interval of CorLoc when videos are resampled."
    )
    for checkpoint, value in results["classification"].items():
        lines.append(f"Classification accuracy {_number(value)} % ({checkpoint}).")
    return "\n".join(lines)


def headline_rows(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows under the protocol of the paper's tables, at every threshold."""
    return [
        row
        for row in results["rows"]
        if (row["iou"], row["localisation"]) == (0.5, "gt_known")
        and row["regions"] in ("largest", None)
        and row["class_from"] in ("truth", None)
    ]


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _number(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
