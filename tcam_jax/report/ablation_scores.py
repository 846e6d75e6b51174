"""The scores of an ablation's finished runs, and by how much its rows differ."""

import statistics
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ml_collections import ConfigDict

from tcam_jax.config.ablation import Ablation, RunKey, Variant
from tcam_jax.data.truth import video_of
from tcam_jax.evaluate.bootstrap import paired_difference
from tcam_jax.evaluate.frame_lines import read_frame_lines
from tcam_jax.evaluate.maps import OF_DECODER
from tcam_jax.evaluate.protocols import rule_without_boxes
from tcam_jax.evaluate.pseudo_boxes import PSEUDO_BOXES
from tcam_jax.evaluate.results import FrameLine, Results, find_row, read_results
from tcam_jax.report.ablation import (
    SCHEMA,
    AblationRow,
    AblationTable,
    Comparison,
    RowCost,
    RunScores,
    Spread,
    Summary,
    Threshold,
    plain_title,
)
from tcam_jax.runs.cost import Cost, read_cost, training_seconds

CAM = "layercam"
"""What every row is compared with, by Otsu's threshold."""


class FinishedRun(NamedTuple):
    """What a table needs of a run.

    Attributes:
      results: see `evaluate.results`.
      lines: see `evaluate.frame_lines`; of runs of before without what is compared.
      encoder: of the network.
      select_by: the boxes that selected its checkpoints, see `config.eval.select_by`.
      seconds: of training; None: not known.
      cost: None: not measured.
    """

    results: Results
    lines: Sequence[FrameLine]
    encoder: str
    select_by: str
    seconds: float | None
    cost: Cost | None

    @property
    def is_comparable(self) -> bool:
        """Whether each frame's box without boxes is known."""
        return all("iou_without_boxes" in line for line in self.lines)


def read_run(folder: Path, config: ConfigDict, split: str) -> FinishedRun:
    """Read a run that was evaluated on `split`.

    Raises:
      InputError: it was not, or a file is damaged.
    """
    return FinishedRun(
        results=read_results(folder, split),
        lines=read_frame_lines(folder, split),
        encoder=config.model.encoder,
        select_by=config.eval.select_by,
        seconds=training_seconds(folder),
        cost=read_cost(folder),
    )


def summarise(ablations: Sequence[Ablation], runs: Mapping[RunKey, FinishedRun]) -> Summary:
    """Collect the scores of the finished runs, see `report.ablation`.

    Args:
      ablations: the tables, of methods' names, see `config.ablation.with_methods`.
      runs: those that are finished, not empty.
    """
    some = next(iter(runs.values()))
    tables = [_table(ablation, runs) for ablation in ablations]
    selected = {run.select_by for run in runs.values()}
    if all(row["val"]["mean"] is None for table in tables for row in table["rows"]):
        selected = {"none" if by == "boxes" else by for by in selected}  # validation has none
    return {
        "schema": SCHEMA,
        "dataset": some.results["dataset"],
        "config": some.results["config"],
        "encoder": some.encoder,
        "split": some.results["split"],
        "select_by": ", ".join(sorted(selected)),
        "tables": tables,
    }


def _table(ablation: Ablation, runs: Mapping[RunKey, FinishedRun]) -> AblationTable:
    own = [x for x in ablation.variants if x.run == ablation.baseline and x.method in OF_DECODER]
    baseline = own[0] if own else None
    return {
        "name": ablation.name,
        "title": ablation.title,
        "note": ablation.note,
        "baseline": plain_title(baseline.title) if baseline else "",
        "rows": [_row(variant, baseline, runs) for variant in ablation.variants],
    }


def _row(
    variant: Variant, baseline: Variant | None, runs: Mapping[RunKey, FinishedRun]
) -> AblationRow:
    ours = _of(variant.run, runs)
    rules = [rule_of(run, variant.method) for run in ours.values()]
    scores = {str(seed): _scores(run, variant.method) for seed, run in ours.items()}
    against = baseline or variant
    others = _of(against.run, runs)
    return {
        "run": variant.run,
        "title": variant.title,
        "method": variant.method,
        "rule": rules[0] if rules else None,
        "published": variant.published,
        "runs": scores,
        "without_boxes": _spread(scores.values(), "without_boxes"),
        "val": _spread(scores.values(), "val"),
        "test": _spread(scores.values(), "test"),
        "against_cam": _compare(ours, variant.method, others, CAM),
        "against_baseline": _compare(ours, variant.method, others, against.method),
        "cost": _cost(ours.values(), variant.method),
    }


def _of(name: str, runs: Mapping[RunKey, FinishedRun]) -> dict[int, FinishedRun]:
    return {seed: found for (run, seed), found in sorted(runs.items()) if run == name}


def rule_of(run: FinishedRun, method: str) -> str | None:
    """Return the threshold of a method's boxes where no true one is looked at; fixed: None."""
    if any(x["method"] == method and x["threshold"] is None for x in run.results["rows"]):
        return None
    return rule_without_boxes(method, run.select_by in PSEUDO_BOXES)


def _scores(run: FinishedRun, method: str) -> RunScores:
    results, rule = run.results, rule_of(run, method)
    found: dict[Threshold, float | None] = {}
    names: dict[Threshold, str] = {"without_boxes": rule or "", "val": "val", "test": "test"}
    for name, threshold in names.items():
        row = find_row(results, method, threshold if rule else None)
        found[name] = row["corloc"]
    accuracy = results["classification"][str(row["checkpoint"])] if rule else None
    return {
        "without_boxes": found["without_boxes"],
        "val": found["val"],
        "test": found["test"],
        "accuracy": accuracy,
        "seconds": run.seconds,
    }


def _spread(runs: Collection[RunScores], threshold: Threshold) -> Spread:
    known = [corloc for scores in runs if (corloc := scores[threshold]) is not None]
    fixed = all(scores["accuracy"] is None for scores in runs)
    return {
        "mean": statistics.mean(known) if known else None,
        "std": statistics.stdev(known) if len(known) > 1 and not fixed else None,
    }


def _compare(
    ours: Mapping[int, FinishedRun], method: str, theirs: Mapping[int, FinishedRun], other: str
) -> Comparison | None:
    """Return how much better one row is than another, on the seeds that both have."""
    pairs = [(ours[seed], theirs[seed]) for seed in ours.keys() & theirs.keys()]
    if method == other and all(one is two for one, two in pairs):
        return None  # the row itself; or there is no seed
    hits = [(_hits(one, method), _hits(two, other)) for one, two in pairs]
    ids = list(hits[0][0]) if hits else []
    if not ids or any(list(x) != ids for pair in hits for x in pair):
        return None  # not known in some of them
    label_of = {line["id"]: line["label"] for line in pairs[0][0].lines}
    labels = np.unique([label_of[name] for name in ids], return_inverse=True)[1]
    difference = paired_difference(
        np.array([list(one.values()) for one, _ in hits]),
        np.array([list(two.values()) for _, two in hits]),
        labels.astype(np.int64),
        video_of(ids),
    )
    return {"mean": difference.mean, "interval": difference.interval}


def _hits(run: FinishedRun, method: str) -> dict[str, bool]:
    """Return by id whether each frame's box without boxes is right, where that is known."""
    overlaps = {line["id"]: line.get("iou_without_boxes", {}).get(method) for line in run.lines}
    return {name: iou >= 0.5 for name, iou in overlaps.items() if iou is not None}


def _cost(runs: Collection[FinishedRun], method: str) -> RowCost | None:
    known = [run.cost for run in runs if run.cost is not None]
    if not known:
        return None
    times = [x["milliseconds"][method] for x in known if method in x["milliseconds"]]
    return {
        "parameters": known[0]["parameters"],
        "localiser": known[0]["localiser"],
        "milliseconds": statistics.median(times) if times else None,
    }
