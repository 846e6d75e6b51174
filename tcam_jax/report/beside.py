"""Several sweeps in one table: the same rows over datasets and encoders."""

from collections.abc import Sequence

from tcam_jax.report.ablation import (
    AblationRow,
    AblationTable,
    Summary,
    plain_title,
    score_shown,
)
from tcam_jax.report.ablation_tables import compared, is_above, mean_and_std
from tcam_jax.report.table import Table, number

_NOTE = (
    "CorLoc, mean ± standard deviation over seeds, thresholds that look at no true box; above a "
    "row: points and their 95 % interval, bold where it is above 0."
)


def beside(summaries: Sequence[Summary]) -> list[Table]:
    """Return a table for each that the first sweep and another have, a pair of columns a sweep.

    Rows are the same where their titles are; one that a sweep lacks is unknown there. Sweeps of the
    same dataset and encoder are numbered as they come.
    """
    names = [name_of(summary) for summary in summaries]
    if len({summary["select_by"] for summary in summaries}) > 1:
        by = [summary["select_by"] or "not known" for summary in summaries]
        names = [f"{name}, checkpoints by: {of}" for name, of in zip(names, by, strict=True)]
    names = [
        f"{name}, sweep {place}" if names.count(name) > 1 else name
        for place, name in enumerate(names, 1)
    ]
    found = []
    for table in summaries[0]["tables"]:
        of_sweeps = [_of_name(summary, table["name"]) for summary in summaries]
        if sum(of is not None for of in of_sweeps) > 1:
            found.append(_table(table["title"], names, of_sweeps))
    return found


def name_of(summary: Summary) -> str:
    """Return what tells a sweep from others."""
    about = (
        f"{summary['dataset']} ({summary['config']})" if summary["config"] else summary["dataset"]
    )
    return f"{about}, {summary['encoder']}" if summary["encoder"] else about


def _of_name(summary: Summary, name: str) -> AblationTable | None:
    return next((table for table in summary["tables"] if table["name"] == name), None)


def _table(title: str, names: Sequence[str], of_sweeps: Sequence[AblationTable | None]) -> Table:
    known = [
        (name, table) for name, table in zip(names, of_sweeps, strict=True) if table is not None
    ]
    titles = list(dict.fromkeys(plain_title(row["title"]) for _, x in known for row in x["rows"]))
    header, strong = [title], []
    rows = [[name] for name in titles]
    for sweep, table in known:
        of_title: dict[str, AblationRow] = {plain_title(x["title"]): x for x in table["rows"]}
        shown = score_shown(table["rows"])
        header += [sweep, f"above {table['baseline'] or 'LayerCAM'}"]
        for place, (name, cells) in enumerate(zip(titles, rows, strict=True)):
            row = of_title.get(name)
            against = row and row["against_baseline" if table["baseline"] else "against_cam"]
            if is_above(against):
                strong.append((place, len(cells) + 1))
            cells += [mean_and_std(row[shown]) if row else number(None), compared(against)]
    return Table("", header, rows, _NOTE, strong=strong)
