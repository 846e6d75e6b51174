"""The results of a run as a text or Markdown table."""

from typing import Any

# The order in which a reader climbs: boxes that see nothing, baselines, the method.
_TITLES = {"val": "τ from validation", "test": "τ maximised on {split}", None: "fixed box"}


def results_table(results: dict[str, Any]) -> str:
    """Return CorLoc per class, their mean, and classification accuracy, as Markdown.

    Args:
      results: see `tcam_jax.evaluate.results`.
    """
    classes = results["classes"]
    header = ["method", "threshold", "τ", *(name[:9] for name in classes), "CorLoc"]
    lines = [_line(header), _line(["---"] * 3 + ["---:"] * (len(classes) + 1))]
    for row in results["rows"]:
        cells = [row["method"], _TITLES[row["threshold"]].format(**results), _number(row["tau"], 3)]
        cells += [_number(value) for value in row["per_class"]]
        lines.append(_line([*cells, _number(row["corloc"])]))
    lines.append("")
    lines.append(
        f"CorLoc: percent of frames with IoU ≥ 0.5, mean over classes; "
        f"{results['dataset']}, {results['split']} split, {results['frames']} frames."
    )
    for checkpoint, value in results["classification"].items():
        lines.append(f"Classification accuracy {_number(value)} % ({checkpoint}).")
    return "\n".join(lines)


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _number(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
