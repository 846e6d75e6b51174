"""The page of a sweep: its tables, bars, training curves, and the same frames under every row."""

import re
from collections.abc import Sequence
from pathlib import Path

from tcam_jax.config.record import load_config
from tcam_jax.data.dataset import Dataset
from tcam_jax.data.records import Split
from tcam_jax.data.truth import Truth
from tcam_jax.evaluate.maps import OF_DECODER
from tcam_jax.evaluate.results import file_of_split
from tcam_jax.report.ablation import AblationRow, AblationTable, Summary, plain_title, score_shown
from tcam_jax.report.ablation_tables import ablation_note, ablation_tables, cost_tables
from tcam_jax.report.bars import Bar, bar_plot
from tcam_jax.report.beside import beside, name_of
from tcam_jax.report.curves import line_plot
from tcam_jax.report.page import Group, Plot, Section, render
from tcam_jax.report.page import Summary as Beginning
from tcam_jax.report.sweep_frames import RowOnFrames, frames_shown, row_pictures
from tcam_jax.report.table import number
from tcam_jax.runtime.errors import InputError
from tcam_jax.train.logs import read_metrics
from tcam_jax.train.stages import CLASSIFIER_DIR, TCAM_DIR

SHOWN = 8
"""Rows with curves and pictures: as many as there are colours to tell them apart."""

_CURVES = {
    "loss of stage 2": (TCAM_DIR, "loss"),
    "CorLoc on validation frames in stage 2, percent": (TCAM_DIR, "validation_.*corloc_.*"),
    "accuracy on validation frames in stage 1, percent": (CLASSIFIER_DIR, "validation_accuracy"),
}
"""By what they show: whose metrics.jsonl, and what matches the metric's name there."""


def sweep_page(
    summary: Summary, workdir: Path, others: Sequence[Summary] = (), data_dir: str | None = None
) -> str:
    """Return the page's HTML. Networks are run on the frames that it shows.

    Args:
      summary: of the sweep.
      workdir: its folder.
      others: sweeps to show beside it.
      data_dir: where the prepared dataset lies, if it was moved.

    Raises:
      InputError: a run or the dataset is not there, or damaged.
    """
    if not summary["tables"]:
        raise InputError(f"the sweep in {workdir} has no table; make one with `tcam ablate`.")
    table = next((x for x in summary["tables"] if x["name"] == "recipes"), summary["tables"][0])
    sections = [*table_sections(summary, others), curves_section(table, workdir)]
    if rows := rows_shown(table):
        run = _folder(table, rows[0]["run"], workdir)
        data, split = Dataset(load_config(run, data_dir)), summary["split"]
        sections.append(
            pictures_section(table, workdir, (data.records(split), data.truth(split)), split)
        )
    shown = [section for section in sections if section is not None]
    return render(beginning(summary, workdir), shown)


def beginning(summary: Summary, workdir: Path) -> Beginning:
    """Return what the page begins with: the best row of the first table."""
    table = summary["tables"][0]
    shown = score_shown(table["rows"])
    known = [(mean, row) for row in table["rows"] if (mean := row[shown]["mean"]) is not None]
    figure, explanation = number(None), "CorLoc is not known: the dataset has no true boxes."
    if known:
        mean, row = max(known, key=lambda pair: pair[0])
        without = "no true box" if summary["select_by"] == "none" else "τ without boxes"
        origin = "τ from validation boxes" if shown == "val" else without
        figure = number(mean)
        explanation = (
            f"CorLoc of {plain_title(row['title'])}, the best row of {table['title']}: percent of "
            f"frames, mean over classes and seeds ({len(row['runs'])}), {origin}; "
            f"{summary['split']} split."
        )
    seeds = {seed for x in summary["tables"] for row in x["rows"] for seed in row["runs"]}
    facts = [
        ("Dataset, network", name_of(summary)),
        ("Split", summary["split"]),
        ("Random seeds", ", ".join(sorted(seeds, key=int))),
        *((f"Rows of {x['title']}", str(len(x["rows"]))) for x in summary["tables"]),
    ]
    files = (
        file_of_split("ablation.md", summary["split"]),
        file_of_split("ablation.csv", summary["split"]),
    )
    title = f"Sweep on {summary['dataset']}: {workdir.name}"
    return Beginning(title, figure, explanation, facts, files)


def table_sections(summary: Summary, others: Sequence[Summary]) -> list[Section]:
    """Return a section a table, with bars and costs; then the sweep beside others."""
    sections = []
    costs = {table.header[0]: table for table in cost_tables(summary)}
    shown = zip(summary["tables"], ablation_tables(summary), strict=True)
    for place, (table, scores) in enumerate(shown):
        bars = _bars(table, summary)
        groups = [Group(plots=[bars] if bars else [], tables=[scores])]
        if place == 0:
            groups[0] = groups[0]._replace(text=ablation_note(summary))
        if table["title"] in costs:
            untitled = costs[table["title"]]._replace(title="")
            groups.append(Group("Costs", tables=[untitled], folded=True))
        sections.append(Section(f"table-{place}", table["title"], groups))
    if others and (tables := beside([summary, *others])):
        sections.append(Section("beside", "Beside other sweeps", [Group(tables=tables)]))
    return sections


def _bars(table: AblationTable, summary: Summary) -> Plot | None:
    shown = score_shown(table["rows"])
    bars = [
        Bar(
            plain_title(row["title"]),
            mean,
            [x for scores in row["runs"].values() if (x := scores[shown]) is not None],
        )
        for row in table["rows"]
        if (mean := row[shown]["mean"]) is not None
    ]
    if not bars:
        return None
    words = ", ".join(f"{bar.name} {bar.value:.1f}" for bar in bars)
    caption = f"Mean of the seeds, each seed a dot; {summary['split']} split"
    return Plot(bar_plot(bars, "CorLoc (%)", f"CorLoc in percent by row: {words}"), caption)


def rows_shown(table: AblationTable) -> list[AblationRow]:
    """Return the rows of a table that have curves and pictures: finished, and with a map."""
    finished = [row for row in table["rows"] if row["rule"] is not None]
    return finished[:SHOWN]


def curves_section(table: AblationTable, workdir: Path) -> Section | None:
    """Return the training curves of the first seed's runs, a line a run; None without any."""
    titles: dict[str, str] = {}
    for row in rows_shown(table):
        if row["method"] in OF_DECODER:  # a CAM baseline shares a run, and was trained by none
            titles.setdefault(row["run"], plain_title(row["title"]))
    plots = []
    for name, (stage, metric) in _CURVES.items():
        lines = {
            title: points
            for run, title in titles.items()
            if (points := _curve(_folder(table, run, workdir) / stage / "metrics.jsonl", metric))
        }
        if lines:
            svg = line_plot(lines, "epoch", "", f"{name}, against the epoch", (4.4, 3.0))
            plots.append(Plot(svg, f"{name}, against the epoch"))
    if not plots:
        return None
    text = f"The first seed of {table['title']}."
    return Section("curves", "Training curves", [Group(text=text, plots=plots)])


def _curve(path: Path, metric: str) -> tuple[list[float], list[float]] | None:
    """Return epochs and values of the metric whose name matches; None where they make no line."""
    points = [
        (line["epoch"], value)
        for line in read_metrics(path)
        for name, value in line.items()
        if re.fullmatch(metric, name) and None not in (value, line.get("epoch"))
    ]
    return ([x for x, _ in points], [y for _, y in points]) if len(points) > 1 else None


def _folder(table: AblationTable, run: str, workdir: Path) -> Path:
    """Return the folder of a run's first seed."""
    seeds = [seed for row in table["rows"] if row["run"] == run for seed in row["runs"]]
    return workdir / f"seed{min(seeds, key=int)}" / run


def pictures_section(
    table: AblationTable, workdir: Path, data: tuple[Split, Truth], split: str
) -> Section:
    """Return the same frames, one of a class, under the maps of every row.

    Args:
      table: whose rows.
      workdir: of the sweep.
      data: the records of the split, and what is known of its evaluated frames.
      split: its name.
    """
    records, truth = data
    frames = frames_shown(truth)
    rows = [
        RowOnFrames(
            plain_title(row["title"]),
            row["method"],
            row["rule"],
            _folder(table, row["run"], workdir),
        )
        for row in rows_shown(table)
    ]
    pictures = [row_pictures(row, frames, records, truth, split) for row in rows]
    groups = [
        Group(
            records.class_names[truth.labels[frame]],
            figures=[of_row[place] for of_row in pictures],
        )
        for place, frame in enumerate(frames)
    ]
    text = (
        f"Frames of the {split} split, one of a class, the first seed of {table['title']}: the box "
        "without boxes in red beside the true one in green, and the map with its region."
    )
    return Section("pictures", "The same frames", [Group(text=text), *groups])
