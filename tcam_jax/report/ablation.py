"""Tables of an ablation: the same experiment with one thing changed, over seeds.

`ablation.json`, schema 1:
  schema: 1
  dataset, split: what was evaluated
  tables: [{name, title, note, rows}], each row
    run: folder of the run, below seedS/
    title: what was changed
    method: "tcam", a CAM method of that run, or a fixed box
    published: mean CorLoc on YouTube-Objects v1.0 in the paper, or null
    runs: {seed: {"val", "test", "accuracy"}}: mean CorLoc over classes, percent, with the threshold
      chosen on validation and maximised on the evaluated split; classification accuracy, percent
      (fixed boxes have one CorLoc and no accuracy)
    val, test: {"mean", "std"} over the runs; std (n - 1) is null for one run and for fixed boxes
CorLoc is null where the split has no boxes; a run that is not finished is left out.
"""

import csv
import io
import statistics
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tcam_jax.config.ablation import Ablation
from tcam_jax.evaluate.results import find_row
from tcam_jax.report.table import Table, number
from tcam_jax.report.table import to_markdown as table_to_markdown

SCHEMA = 1
Summary = dict[str, Any]


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
                    **{name: _spread(runs.values(), name) for name in ("val", "test")},
                }
            )
        tables.append(
            {"name": ablation.name, "title": ablation.title, "note": ablation.note, "rows": rows}
        )
    return {
        "schema": SCHEMA,
        "dataset": some["dataset"],
        "split": some["split"],
        "tables": tables,
    }


def _scores(results: dict[str, Any], method: str) -> dict[str, float | None]:
    if any(row["method"] == method and row["threshold"] is None for row in results["rows"]):
        corloc = find_row(results, method, None)["corloc"]
        return {"val": corloc, "test": corloc, "accuracy": None}
    rows = {threshold: find_row(results, method, threshold) for threshold in ("val", "test")}
    scores = {threshold: row["corloc"] for threshold, row in rows.items()}
    return scores | {"accuracy": results["classification"][rows["val"]["checkpoint"]]}


def _spread(runs: Collection[dict[str, float | None]], threshold: str) -> dict[str, float | None]:
    known = [scores[threshold] for scores in runs if scores[threshold] is not None]
    fixed = all(scores["accuracy"] is None for scores in runs)
    return {
        "mean": statistics.mean(known) if known else None,
        "std": statistics.stdev(known) if len(known) > 1 and not fixed else None,
    }


def ablation_tables(summary: Summary) -> list[Table]:
    """Return the tables with each seed's CorLoc, mean ± std, and the published number."""
    found = []
    for table in summary["tables"]:
        seeds = sorted({seed for row in table["rows"] for seed in row["runs"]}, key=int)
        header = [table["title"], *(f"seed {seed}" for seed in seeds)]
        header += ["mean ± std", "τ maximised on test", "published"]
        rows = []
        for row in table["rows"]:
            cells = [row["title"]]
            cells += [number(row["runs"].get(seed, {}).get("val")) for seed in seeds]
            cells += [_mean(row["val"]), _mean(row["test"]), number(row["published"])]
            rows.append(cells)
        found.append(Table("", header, rows, table["note"]))
    return found


def ablation_note(summary: Summary) -> str:
    """Return what the numbers of all tables are."""
    return (
        f"CorLoc, percent of frames with IoU ≥ 0.5, mean over classes; {summary['dataset']}, "
        f"{summary['split']} split; τ from validation unless said. ± is the standard deviation "
        "over seeds. Published: the paper, on YouTube-Objects v1.0, τ maximised on test."
    )


def to_markdown(summary: Summary) -> str:
    """Return all tables and the note."""
    tables = map(table_to_markdown, ablation_tables(summary))
    return "\n\n".join([*tables, ablation_note(summary)])


def to_csv(summary: Summary) -> str:
    """Return one line for each table, row, seed and threshold."""
    lines = [
        {
            "table": table["name"],
            **{name: row[name] for name in ("run", "title", "method")},
            "seed": seed,
            "threshold": threshold,
            "corloc": scores[threshold],
            "accuracy": scores["accuracy"],
            "published": row["published"],
        }
        for table in summary["tables"]
        for row in table["rows"]
        for seed, scores in row["runs"].items()
        for threshold in ("val", "test")
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, lines[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _mean(spread: Mapping[str, float | None]) -> str:
    if spread["std"] is None:
        return number(spread["mean"])
    return f"{spread['mean']:.1f} ± {spread['std']:.1f}"
