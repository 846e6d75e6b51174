"""Tables of an ablation: the same experiment with one thing changed, over seeds.

`ablation.json`, schema 1:
  schema: 1
  dataset, split: what was evaluated
  tables: [{name, title, rows}], each row
    run: folder of the run, below seedS/
    title: what was changed
    method: "tcam", a CAM method of that run, or a fixed box
    published: mean CorLoc on YouTube-Objects v1.0 in the paper, or null
    runs: {seed: {"val", "test", "accuracy"}}: mean CorLoc over classes, percent, with the threshold
      chosen on validation and maximised on the evaluated split; classification accuracy
    val, test: {"mean", "std"} over the runs; std (n - 1) is null for one run
CorLoc is null where the split has no boxes; a run that is not finished is left out.
"""

import csv
import io
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tcam_jax.evaluate.maps import TCAM_METHOD
from tcam_jax.evaluate.results import find_row

SCHEMA = 1
Summary = dict[str, Any]


class Variant(NamedTuple):
    """One row of a table.

    Attributes:
      run: name of the run; rows with the same name share it, and must have the same overrides.
      title: what the row shows.
      overrides: {dotted config field: value} that make the run.
      published: mean CorLoc on YouTube-Objects v1.0 in the paper, percent; None: not published.
      method: whose boxes the row scores, see `evaluate.results`.
    """

    run: str
    title: str
    overrides: Mapping[str, Any]
    published: float | None = None
    method: str = TCAM_METHOD


class Ablation(NamedTuple):
    """One table: name of its files, title, rows, and whether every seed is run or only one."""

    name: str
    title: str
    variants: Sequence[Variant]
    every_seed: bool = True


def summarise(
    ablations: Sequence[Ablation], results: Mapping[tuple[str, int], dict[str, Any]]
) -> Summary:
    """Collect the scores of the finished runs.

    Args:
      ablations: the tables.
      results: {(run, seed): its results, see `evaluate.results`}, not empty.

    Returns:
      The content of `ablation.json`, see the module.
    """
    some = next(iter(results.values()))
    tables = []
    for ablation in ablations:
        rows = []
        for variant in ablation.variants:
            runs = {
                str(seed): _scores(found, variant.method)
                for (run, seed), found in results.items()
                if run == variant.run
            }
            rows.append(
                {
                    "run": variant.run,
                    "title": variant.title,
                    "method": variant.method,
                    "published": variant.published,
                    "runs": runs,
                    **{name: _spread([r[name] for r in runs.values()]) for name in ("val", "test")},
                }
            )
        tables.append({"name": ablation.name, "title": ablation.title, "rows": rows})
    return {
        "schema": SCHEMA,
        "dataset": some["dataset"],
        "split": some["split"],
        "tables": tables,
    }


def _scores(results: dict[str, Any], method: str) -> dict[str, float | None]:
    fixed = any(row["method"] == method and row["threshold"] is None for row in results["rows"])
    scores = {
        threshold: find_row(results, method, None if fixed else threshold)["corloc"]
        for threshold in ("val", "test")
    }
    checkpoint = find_row(results, TCAM_METHOD, "val")["checkpoint"]
    return scores | {"accuracy": results["classification"][checkpoint]}


def _spread(values: Sequence[float | None]) -> dict[str, float | None]:
    known = [value for value in values if value is not None]
    return {
        "mean": statistics.mean(known) if known else None,
        "std": statistics.stdev(known) if len(known) > 1 else None,
    }


def to_markdown(summary: Summary) -> str:
    """Return the tables with each seed's CorLoc, mean ± std, and the published number."""
    parts = []
    for table in summary["tables"]:
        seeds = sorted({seed for row in table["rows"] for seed in row["runs"]}, key=int)
        header = [table["title"], *(f"seed {seed}" for seed in seeds)]
        header += ["mean ± std", "τ maximised on test", "published"]
        lines = [_line(header), _line(["---"] * len(header))]
        for row in table["rows"]:
            cells = [row["title"]]
            cells += [_number(row["runs"].get(seed, {}).get("val")) for seed in seeds]
            cells += [_mean(row["val"]), _mean(row["test"]), _number(row["published"])]
            lines.append(_line(cells))
        parts.append("\n".join(lines))
    note = (
        f"CorLoc, percent of frames with IoU ≥ 0.5, mean over classes; {summary['dataset']}, "
        f"{summary['split']} split; τ from validation unless said. ± is the standard deviation "
        "over seeds. Published: the paper, on YouTube-Objects v1.0, τ maximised on test."
    )
    return "\n\n".join([*parts, note])


def to_csv(summary: Summary) -> str:
    """Return one line for each table, row, seed and threshold."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["table", "run", "title", "method", "seed", "threshold", "corloc", "published"])
    for table in summary["tables"]:
        for row in table["rows"]:
            for seed, scores in row["runs"].items():
                for threshold in ("val", "test"):
                    writer.writerow(
                        [
                            table["name"],
                            row["run"],
                            row["title"],
                            row["method"],
                            seed,
                            threshold,
                            scores[threshold],
                            row["published"],
                        ]
                    )
    return text.getvalue()


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _mean(spread: Mapping[str, float | None]) -> str:
    if spread["std"] is None:
        return _number(spread["mean"])
    return f"{spread['mean']:.1f} ± {spread['std']:.1f}"
