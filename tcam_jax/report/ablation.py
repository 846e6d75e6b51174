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

import io
import statistics
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypedDict

from tcam_jax.config.ablation import Ablation
from tcam_jax.evaluate.results import Results, find_row
from tcam_jax.report.table import Table, number
from tcam_jax.report.table import to_markdown as table_to_markdown
from tcam_jax.runtime.csv_rows import row_writer
from tcam_jax.runtime.json_files import damaged, read_json
from tcam_jax.runtime.markdown import markdown
from tcam_jax.runtime.shapes import Percent

SCHEMA: Literal[1] = 1


class RunScores(TypedDict):
    """Of one run, percent, see the module."""

    val: Percent | None
    test: Percent | None
    accuracy: Percent | None


class Spread(TypedDict):
    """Over the runs, see the module."""

    mean: Percent | None
    std: float | None


class AblationRow(TypedDict):
    """A row of a table, see the module."""

    run: str
    title: str
    method: str
    published: float | None
    runs: dict[str, RunScores]
    val: Spread
    test: Spread


class AblationTable(TypedDict):
    """A table, see the module."""

    name: str
    title: str
    note: str
    rows: list[AblationRow]


class Summary(TypedDict):
    """The content of `ablation.json`, see the module."""

    schema: Literal[1]
    dataset: str
    split: str
    tables: list[AblationTable]


def read_summary(path: Path) -> Summary:
    """Read an `ablation.json`.

    Raises:
      InputError: it is damaged, or none of ours.
    """
    advice = "Make it anew with the same `tcam ablate`, or move it away: it is no part of the run."
    summary: Summary = read_json(path, Summary, advice)
    for table in summary["tables"]:
        seeds = {seed for row in table["rows"] for seed in row["runs"]}
        if not all(seed.isascii() and seed.isdecimal() for seed in seeds):
            raise damaged(
                path, f"its seeds must be whole numbers; they are {sorted(seeds)}", advice
            )
    return summary


def summarise(ablations: Sequence[Ablation], results: Mapping[tuple[str, int], Results]) -> Summary:
    """Collect the scores of the finished runs.

    Args:
      ablations: the tables.
      results: {(run, seed): its results, see `evaluate.results`}, not empty.

    Returns:
      The content of `ablation.json`, see the module.
    """
    some = next(iter(results.values()))
    tables: list[AblationTable] = []
    for ablation in ablations:
        rows: list[AblationRow] = []
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
                    "val": _spread(runs.values(), "val"),
                    "test": _spread(runs.values(), "test"),
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


def _scores(results: Results, method: str) -> RunScores:
    if any(row["method"] == method and row["threshold"] is None for row in results["rows"]):
        corloc = find_row(results, method, None)["corloc"]
        return {"val": corloc, "test": corloc, "accuracy": None}
    val, test = (find_row(results, method, threshold) for threshold in ("val", "test"))
    accuracy = results["classification"][str(val["checkpoint"])]
    return {"val": val["corloc"], "test": test["corloc"], "accuracy": accuracy}


def _spread(runs: Collection[RunScores], threshold: Literal["val", "test"]) -> Spread:
    known = [corloc for scores in runs if (corloc := scores[threshold]) is not None]
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
        rows, best = [], []
        for place, row in enumerate(table["rows"]):
            title = row["title"].removeprefix("**").removesuffix("**")
            if title != row["title"]:
                best.append(place)
            cells = [title]
            runs = row["runs"]
            cells += [number(runs[seed]["val"] if seed in runs else None) for seed in seeds]
            cells += [_mean(row["val"]), _mean(row["test"]), number(row["published"])]
            rows.append(cells)
        found.append(Table("", header, rows, table["note"], best=best))
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
    return "\n\n".join([*tables, markdown(ablation_note(summary))])


def to_csv(summary: Summary) -> str:
    """Return one line for each table, row, seed and threshold."""
    thresholds: tuple[Literal["val", "test"], ...] = ("val", "test")
    lines = [
        {
            "table": table["name"],
            "run": row["run"],
            "title": row["title"],
            "method": row["method"],
            "seed": seed,
            "threshold": threshold,
            "corloc": scores[threshold],
            "accuracy": scores["accuracy"],
            "published": row["published"],
        }
        for table in summary["tables"]
        for row in table["rows"]
        for seed, scores in row["runs"].items()
        for threshold in thresholds
    ]
    text = io.StringIO()
    write_row = row_writer(text)
    write_row(lines[0])
    for line in lines:
        write_row(line.values())
    return text.getvalue()


def _mean(spread: Spread) -> str:
    if spread["mean"] is None or spread["std"] is None:
        return number(spread["mean"])
    return f"{spread['mean']:.1f} ± {spread['std']:.1f}"
