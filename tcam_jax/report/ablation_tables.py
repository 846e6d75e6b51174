"""An ablation's tables for people: Markdown, the page, CSV."""

import io
import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple, get_args

from tcam_jax.report.ablation import (
    AblationRow,
    AblationTable,
    Comparison,
    Spread,
    Summary,
    Threshold,
    plain_title,
    score_shown,
)
from tcam_jax.report.table import Table, number
from tcam_jax.report.table import to_markdown as table_to_markdown
from tcam_jax.runtime.csv_rows import row_writer
from tcam_jax.runtime.markdown import markdown

_UNKNOWN = number(None)
_MILLION = 1e6


class _Column(NamedTuple):
    header: str
    cell: Callable[[AblationRow], str]
    stands_out: Callable[[AblationRow], bool] = lambda row: False


def ablation_tables(summary: Summary) -> list[Table]:
    """Return the tables with each seed's CorLoc, mean ± std, comparisons, and published numbers.

    What is known of no row has no column.
    """
    return [_scores(table, summary["split"]) for table in summary["tables"]]


def cost_tables(summary: Summary) -> list[Table]:
    """Return what the rows of each table cost, where that was measured."""
    tables = [_costs(table) for table in summary["tables"]]
    return [table for table in tables if len(table.header) > table.names]


def _scores(table: AblationTable, split: str) -> Table:
    rows, shown = table["rows"], score_shown(table["rows"])
    seeds = sorted({seed for row in rows for seed in row["runs"]}, key=int)

    def of_seed(seed: str) -> Callable[[AblationRow], str]:
        return lambda row: number(row["runs"][seed][shown] if seed in row["runs"] else None)

    columns = [_Column(f"seed {seed}", of_seed(seed)) for seed in seeds]
    columns += [
        _Column("mean ± std", lambda row: mean_and_std(row[shown])),
        _Column(
            "above LayerCAM",
            lambda row: compared(row["against_cam"]),
            lambda row: is_above(row["against_cam"]),
        ),
        _Column(
            f"above {table['baseline']}",
            lambda row: compared(row["against_baseline"]),
            lambda row: is_above(row["against_baseline"]),
        ),
    ]
    if shown != "val" and split != "validation":  # there it would be the next one
        columns.append(_Column("τ from validation", lambda row: mean_and_std(row["val"])))
    columns += [
        _Column(f"τ maximised on {split}", lambda row: mean_and_std(row["test"])),
        _Column("published", lambda row: number(row["published"])),
    ]
    return _table(table, columns)._replace(note=table["note"])


def _costs(table: AblationTable) -> Table:
    def parameters(part: str) -> Callable[[AblationRow], str]:
        return lambda row: number(row["cost"][part] / _MILLION if row["cost"] else None, 2)  # type: ignore[literal-required]

    def minutes(row: AblationRow) -> str:
        known = [x["seconds"] / 60 for x in row["runs"].values() if x["seconds"] is not None]
        return number(statistics.mean(known) if known else None)

    columns = [
        _Column("parameters, millions", parameters("parameters")),
        _Column("trained in stage 2", parameters("localiser")),
        _Column("training, minutes", minutes),
        _Column(
            "a frame, ms", lambda row: number(row["cost"]["milliseconds"] if row["cost"] else None)
        ),
    ]
    note = (
        "Both stages' training, mean over seeds, as this machine did it; from a frame in the "
        "host's memory to its map there, one frame at a time, median."
    )
    return _table(table, columns)._replace(title=f"Costs: {table['title']}", note=note)


def _table(table: AblationTable, columns: Sequence[_Column]) -> Table:
    rows = table["rows"]
    titles = [plain_title(row["title"]) for row in rows]
    best = [place for place, row in enumerate(rows) if row["title"] != titles[place]]
    cells = [[column.cell(row) for row in rows] for column in columns]
    known = [i for i, column in enumerate(cells) if any(cell != _UNKNOWN for cell in column)]
    strong = [
        (place, 1 + to)
        for to, i in enumerate(known)
        for place, row in enumerate(rows)
        if columns[i].stands_out(row)
    ]
    return Table(
        "",
        [table["title"], *(columns[i].header for i in known)],
        [[title, *(cells[i][place] for i in known)] for place, title in enumerate(titles)],
        best=best,
        strong=strong,
    )


def ablation_note(summary: Summary) -> str:
    """Return what the numbers of all tables are."""
    about = f"{summary['dataset']}, {summary['split']} split"
    if summary["encoder"]:
        about = f"{summary['dataset']} ({summary['config']}), {summary['encoder']}, " + (
            f"{summary['split']} split"
        )
    note = f"CorLoc, percent of frames with IoU ≥ 0.5, mean over classes; {about}; "
    shown = {score_shown(table["rows"]) for table in summary["tables"]}
    if shown == {"val"}:
        note += "τ from validation unless said. ± is the standard deviation over seeds."
    else:
        rules = {row["rule"]: None for table in summary["tables"] for row in table["rows"]}
        names = ", ".join(rule.replace("_", " ") for rule in rules if rule)
        note += (
            f"thresholds that look at no true box ({names}) unless said. ± is the standard "
            "deviation over seeds. Above another row: points of CorLoc without boxes, mean of the "
            "seeds, and the 95 % interval when videos are resampled, the same for both rows and "
            "all seeds (not known where a class has a single video); bold where the interval is "
            "above 0."
        )
    note += _selection(summary)
    return note + " Published: the papers, on YouTube-Objects v1.0, τ maximised on test."


def _selection(summary: Summary) -> str:
    match summary["select_by"]:
        case "":
            return ""
        case "none":
            return " No box selects checkpoints."
        case "boxes":
            scored = ", which are scored here" if summary["split"] == "validation" else ""
            return f" Checkpoints are selected by the true boxes of validation frames{scored}."
        case by:
            return f" Checkpoints are selected by boxes: {by.replace('_', ' ')}."


def to_markdown(summary: Summary) -> str:
    """Return all tables and the note."""
    tables = map(table_to_markdown, [*ablation_tables(summary), *cost_tables(summary)])
    return "\n\n".join([*tables, markdown(ablation_note(summary))])


def to_csv(summary: Summary) -> str:
    """Return one line for each table, row, seed and threshold."""
    thresholds: tuple[Threshold, ...] = get_args(Threshold)
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


def mean_and_std(spread: Spread) -> str:
    """Write a mean over seeds with its deviation, where that is known."""
    if spread["mean"] is None or spread["std"] is None:
        return number(spread["mean"])
    return f"{spread['mean']:.1f} ± {spread['std']:.1f}"


def compared(against: Comparison | None) -> str:
    """Write a difference in points and its interval."""
    if against is None:
        return _UNKNOWN
    if against["interval"] is None:
        return f"{against['mean']:+.1f}"
    low, high = against["interval"]
    return f"{against['mean']:+.1f} ({low:.1f} to {high:.1f})"


def is_above(against: Comparison | None) -> bool:
    """Tell whether the interval of a difference lies above 0."""
    interval = None if against is None else against["interval"]
    return interval is not None and interval[0] > 0
