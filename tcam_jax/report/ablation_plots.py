"""Pictures of an ablation's tables, the published numbers beside."""

import io
import math
from pathlib import Path

import matplotlib
import matplotlib.figure
from matplotlib.ticker import MaxNLocator

from tcam_jax.report.ablation import (
    AblationRow,
    AblationTable,
    Threshold,
    score_shown,
)
from tcam_jax.runtime.files import write_whole
from tcam_jax.runtime.terminal import one_line

_OURS, _PUBLISHED = "#0072B2", "#D55E00"  # blue and vermilion of Okabe and Ito's palette
_PUBLISHED_LABEL = "YouTube-Objects v1.0, published, τ maximised on test"
_AXIS = "CorLoc (%), mean over classes"
_as_plain_text = matplotlib.rc_context({"text.parse_math": False})  # "$x$" is a name


@_as_plain_text
def bars(table: AblationTable, dataset: str, path: Path) -> None:
    """Draw one bar a row, with the standard deviation over seeds and a dot for each.

    Args:
      table: one of `tables`, see `report.ablation`.
      dataset: its name, for the legend.
      path: of the PNG to write.
    """
    rows, means, stds, threshold = _known(table)
    figure = matplotlib.figure.Figure(figsize=(7, 0.5 * len(rows) + 1.8), layout="constrained")
    axes = figure.subplots()
    places = range(len(rows))
    axes.barh(
        places,
        means,
        0.6,
        xerr=stds,
        color=_OURS,
        capsize=3,
        label=_ours(dataset, threshold),
    )
    for place, row in enumerate(rows):
        seeds = [
            corloc for scores in row["runs"].values() if (corloc := scores[threshold]) is not None
        ]
        axes.plot(seeds, [place] * len(seeds), "o", color="white", mec="black", markersize=4)
    published = [(i, row["published"]) for i, row in enumerate(rows) if row["published"]]
    if published:
        y, x = zip(*published, strict=True)
        axes.plot(x, y, "D", color=_PUBLISHED, label=_PUBLISHED_LABEL)
    axes.set_yticks(places, [one_line(row["title"].replace("**", "")) for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel(_AXIS)
    axes.set_xlim(left=0)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=1, frameon=False)
    _write(figure, path)


@_as_plain_text
def temporal_range(table: AblationTable, dataset: str, path: Path) -> None:
    """Draw CorLoc against the number n of neighbouring frames (Fig. 3 of the paper).

    Args:
      table: its rows are runs named "n0", "n1", …
      dataset: its name, for the legend.
      path: of the PNG to write.
    """
    rows, means, stds, threshold = _known(table)
    figure = matplotlib.figure.Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    n = [int(row["run"].removeprefix("n")) for row in rows]
    axes.errorbar(
        n,
        means,
        stds,
        fmt="o-",
        color=_OURS,
        capsize=3,
        label=_ours(dataset, threshold),
    )
    published = [(k, row["published"]) for k, row in zip(n, rows, strict=True) if row["published"]]
    if published:
        x, y = zip(*published, strict=True)
        axes.plot(x, y, "D", color=_PUBLISHED, label=_PUBLISHED_LABEL)
    axes.set_xlabel("n, frames before the target whose CAMs are pooled")
    axes.set_ylabel(_AXIS)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False)
    _write(figure, path)


def _known(
    table: AblationTable,
) -> tuple[list[AblationRow], list[float], list[float], Threshold]:
    """Return the rows whose CorLoc is known, it, its deviations, and by which threshold."""
    shown = score_shown(table["rows"])
    known = [(row, mean) for row in table["rows"] if (mean := row[shown]["mean"]) is not None]
    stds = [row[shown]["std"] or math.nan for row, _ in known]  # no whisker for one run
    return [row for row, _ in known], [mean for _, mean in known], stds, shown


def _ours(dataset: str, threshold: Threshold) -> str:
    origin = "τ from validation" if threshold == "val" else "τ without boxes"
    return one_line(f"{dataset}, ours, {origin}")


def _write(figure: matplotlib.figure.Figure, path: Path) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=120, format="png")
    write_whole(path, buffer.getvalue())
