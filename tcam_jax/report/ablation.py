"""Tables of an ablation as data: the same experiment with one thing changed, over seeds.

`ablation.json`, schema 2; of another split than test its name is in the file's:
  schema: 2
  dataset, config, encoder, split: what was trained on, by which network, and what was evaluated
  select_by: the boxes that selected checkpoints, see `config.eval.select_by`; "none" too where
    validation has no boxes; "" in files of before, where it is not known
  tables: [{name, title, note, baseline, rows}]; baseline: title of the row that the others are
    compared with, or ""; each row
    run: folder of the run, below seedS/
    title: what was changed
    method: a map of TCAM, a CAM method of that run, or a fixed box
    rule: the threshold without boxes, see `evaluate.protocols`; null for fixed boxes, and where no
      run is finished
    published: mean CorLoc on YouTube-Objects v1.0 in the paper, or null
    runs: {seed: {"without_boxes", "val", "test", "accuracy", "seconds"}}: mean CorLoc over classes,
      percent, with the threshold of `rule`, chosen on validation, and maximised on the evaluated
      split; classification accuracy, percent (fixed boxes have one CorLoc and no accuracy);
      training time of both stages
    without_boxes, val, test: {"mean", "std"} over the runs; std (n - 1) is null for one run and for
      fixed boxes
    against_cam, against_baseline: {"mean", "interval"}: by how much `without_boxes` is above
      LayerCAM's, and the baseline's, on the same seeds; see `evaluate.bootstrap.paired_difference`
    cost: {"parameters", "localiser", "milliseconds"}: of the network, trained in stage 2, and the
      time of one frame; see `runs.cost`
CorLoc is null where the split has no boxes; a run that is not finished is left out; all else is
null where it is not known. Schema 1, of before, had neither config, encoder, baseline and rule, nor
without_boxes, seconds, comparisons and costs.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

from tcam_jax.evaluate.results import file_of_split
from tcam_jax.runtime.json_files import damaged, read_json
from tcam_jax.runtime.shapes import Between, Count, Length, Percent, fitted

SCHEMA: Literal[2] = 2

Threshold = Literal["without_boxes", "val", "test"]
Points = Annotated[float, Between(-100, 100)]


class RunScores(TypedDict):
    """Of one run, percent and seconds, see the module."""

    without_boxes: Percent | None
    val: Percent | None
    test: Percent | None
    accuracy: Percent | None
    seconds: float | None


class Spread(TypedDict):
    """Over the runs, see the module."""

    mean: Percent | None
    std: float | None


class Comparison(TypedDict):
    """Points of CorLoc above another row, see the module."""

    mean: Points
    interval: Annotated[list[Points], Length(2)] | None


class RowCost(TypedDict):
    """See the module."""

    parameters: Count
    localiser: Count
    milliseconds: float | None


class AblationRow(TypedDict):
    """A row of a table, see the module."""

    run: str
    title: str
    method: str
    rule: str | None
    published: float | None
    runs: dict[str, RunScores]
    without_boxes: Spread
    val: Spread
    test: Spread
    against_cam: Comparison | None
    against_baseline: Comparison | None
    cost: RowCost | None


class AblationTable(TypedDict):
    """A table, see the module."""

    name: str
    title: str
    note: str
    baseline: str
    rows: list[AblationRow]


class Summary(TypedDict):
    """The content of `ablation.json`, see the module."""

    schema: Literal[2]
    dataset: str
    config: str
    encoder: str
    split: str
    select_by: str
    tables: list[AblationTable]


def read_summary(path: Path) -> Summary:
    """Read an `ablation.json`, one of before too.

    Raises:
      InputError: it is damaged, or none of ours.
    """
    advice = "Make it anew with the same `tcam ablate`, or move it away: it is no part of the run."
    content = read_json(path, dict[str, Any], advice)
    if content.get("schema") == 1:
        content = _in_todays_words(content)
    content.setdefault("select_by", "")
    try:
        summary: Summary = fitted(content, Summary)
    except ValueError as error:
        raise damaged(path, str(error), advice) from error
    for table in summary["tables"]:
        seeds = {seed for row in table["rows"] for seed in row["runs"]}
        if not all(seed.isascii() and seed.isdecimal() for seed in seeds):
            raise damaged(
                path, f"its seeds must be whole numbers; they are {sorted(seeds)}", advice
            )
        runs = {row["run"] for row in table["rows"]}
        if not all(Path(run).name == run and run != ".." and "\0" not in run for run in runs):
            raise damaged(
                path, f"its runs must be names of folders; they are {sorted(runs)}", advice
            )
    return summary


def summaries_in(workdir: Path) -> list[Summary]:
    """Return the summaries of a sweep's folder, of the test split first.

    Raises:
      InputError: one is damaged.
    """
    paths = [workdir / file_of_split("ablation.json", split) for split in ("test", "validation")]
    return [read_summary(path) for path in paths if path.is_file()]


def score_shown(rows: Sequence[AblationRow]) -> Threshold:
    """Return which CorLoc of a table comes first: without boxes, or from validation, as before."""
    known = any(row["without_boxes"]["mean"] is not None for row in rows)
    return "without_boxes" if known else "val"


def plain_title(title: str) -> str:
    """Return a row's title without the marks of one that stands out."""
    return title.removeprefix("**").removesuffix("**")


_LATER_OF_ROWS: dict[str, Any] = {
    **dict.fromkeys(("rule", "against_cam", "against_baseline", "cost")),
    "without_boxes": {"mean": None, "std": None},
}


def _in_todays_words(summary: dict[str, Any]) -> dict[str, Any]:
    """Return what schema 1 has as schema 2 has it; what is damaged is left so."""
    found = {"config": "", "encoder": "", **summary, "schema": SCHEMA}
    for table in _objects(found.get("tables")):
        table.setdefault("baseline", "")
        for row in _objects(table.get("rows")):
            for name, value in _LATER_OF_ROWS.items():
                row.setdefault(name, value)
            runs = row.get("runs")
            for scores in _objects(list(runs.values()) if isinstance(runs, dict) else None):
                scores.setdefault("without_boxes", None)
                scores.setdefault("seconds", None)
    return found


def _objects(values: object) -> list[dict[str, Any]]:
    return [x for x in values if isinstance(x, dict)] if isinstance(values, list) else []
