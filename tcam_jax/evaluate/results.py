"""The final table of a run as data: `results.json`, written by evaluation and read by reports.

Schema 3:
  schema: 3
  dataset, config, split: what was evaluated
  frames, boxes, videos: how many
  classes: [name]
  rows: one per method and protocol (see `evaluate.protocols` for the names), each
    method: "centre_box", "whole_frame", a CAM method, or "tcam"
    checkpoint: "STAGE/ROLE@STEP"
    class_from, threshold, regions, iou, localisation: the protocol
    tau: 0..1 of the map's maximum; {class: tau}; null where there is none (Otsu's level is each
      map's own, a mean over IoUs has several)
    corloc: mean over classes, percent; the number to quote
    interval: [low, high], 95 % of `corloc` when videos are resampled (`evaluate.bootstrap`); null
      where a class has a single video
    corloc_frames: mean over frames, percent
    per_class: [percent], in the order of `classes`; null for a class without boxes
    The fixed boxes have null for checkpoint, class_from, threshold, regions, and tau.
  curves: CorLoc (mean over classes, largest region, IoU 0.5, the true class's map) at each tau,
    {"tau": [0..1], "corloc": {method: [percent]}}
  classification: {"STAGE/ROLE@STEP": accuracy in percent of frames}
  tau: {method: the validation threshold}, used by prediction
  seconds_per_frame: {"STAGE/ROLE@STEP": forward pass in evaluation batches}
CorLoc entries, and curves, are null where the split has no boxes.
"""

import json
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

import numpy as np

from tcam_jax.data.class_names import check_class_names
from tcam_jax.data.truth import Truth, video_of
from tcam_jax.evaluate.bootstrap import VideoBootstrap
from tcam_jax.evaluate.corloc import centre_box, iou, whole_frame
from tcam_jax.evaluate.protocols import IOUS
from tcam_jax.evaluate.rows import Row, Scores, mean_scores, scores_of, unknown_scores
from tcam_jax.evaluate.split import scaled_truth
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.files import write_whole
from tcam_jax.runtime.given import path_given
from tcam_jax.runtime.json_files import damaged, read_json
from tcam_jax.runtime.shapes import Box, Count, Percent, Share, fitted

SCHEMA = 3
CENTRE_FRACTION = 0.5  # side of the centre box, of the frame


class Rows(TypedDict):
    """What `find_row` reads of `Results`."""

    rows: list[Row]


class Curves(TypedDict):
    """CorLoc against the threshold."""

    tau: list[Share]
    corloc: dict[str, list[Percent]]


class Results(Rows):
    """The content of `results.json`, see the module."""

    schema: NotRequired[int]  # only in the file
    dataset: str
    config: str
    split: str
    frames: Count
    boxes: Count
    videos: Count
    classes: list[str]
    curves: Curves | None
    classification: dict[str, Percent]
    tau: dict[str, Share | None]
    seconds_per_frame: dict[str, float | None]


class FrameLine(TypedDict):
    """A line of `predictions.jsonl`, see `evaluate.frame_lines`."""

    id: str
    label: str
    probabilities: dict[str, Share]
    boxes: dict[str, Box]
    iou: dict[str, Share | None]
    iou_without_boxes: NotRequired[dict[str, Share | None]]  # runs of before have none


def fixed_box_rows(truth: Truth, size: int, num_classes: int) -> list[Row]:
    """Score two boxes that look at nothing: the centre's and the whole frame's."""
    boxed = [i for i, true_boxes in enumerate(truth.boxes) if len(true_boxes)]
    labels = truth.labels[boxed]
    bootstrap = VideoBootstrap(labels, video_of(truth.ids)[boxed]) if boxed else None
    rows: list[Row] = []
    for method, box in (
        ("centre_box", centre_box(size, CENTRE_FRACTION)),
        ("whole_frame", whole_frame(size)),
    ):
        overlaps = np.array([iou(box, scaled_truth(truth, i, size)).max() for i in boxed])
        of_ious: list[Row] = []
        samples: list[np.ndarray | None] = []
        for least in IOUS:
            scores = unknown_scores(num_classes)
            if bootstrap is not None:
                samples.append(bootstrap.class_means(overlaps >= least))
                scores = scores_of(overlaps >= least, labels, num_classes, samples[-1])
            of_ious.append(_fixed_box_row(method, least, scores))
        rows += [*of_ious, _fixed_box_row(method, "mean", mean_scores(of_ious, samples))]
    return rows


def _fixed_box_row(method: str, iou: float | Literal["mean"], scores: Scores) -> Row:
    return {
        "method": method,
        "checkpoint": None,
        "class_from": None,
        "threshold": None,
        "regions": None,
        "tau": None,
        "localisation": "gt_known",
        "iou": iou,
        **scores,
    }


def find_row(
    results: Rows,
    method: str,
    threshold: str | None,
    regions: str = "largest",
    iou: float | Literal["mean"] = 0.5,
    class_from: str = "truth",
    localisation: str = "gt_known",
) -> Row:
    """Return the row of `method` under one protocol; by default that of the paper's tables.

    Args:
      threshold: None for the fixed boxes, which have no regions and no class either.

    Raises:
      InputError: there is none.
    """
    wanted = {"method": method, "threshold": threshold, "iou": iou, "localisation": localisation}
    if threshold is not None:
        wanted |= {"regions": regions, "class_from": class_from}
    for row in results["rows"]:
        if wanted.items() <= row.items():
            return row
    have = dict.fromkeys(row["method"] for row in results["rows"])
    raise InputError(f"there is no row {method!r} with {wanted}; there are those of {list(have)}.")


def write_results(path: Path, results: Results) -> None:
    """Write `results` (see the module's schema) to `path`, whole or not at all."""
    rows = results["rows"]
    outer = {"schema": SCHEMA, **results, "rows": None}
    # A line a row: there are hundreds.
    lines = ",\n".join(f"    {json.dumps(row)}" for row in rows)
    text = json.dumps(outer, indent=2).replace('"rows": null', f'"rows": [\n{lines}\n  ]', 1)
    write_whole(path, text + "\n")


def file_of_split(name: str, split: str) -> str:
    """Return what a file of results is called: that of the test split has no other's name in it."""
    path = Path(name)
    return name if split == "test" else f"{path.stem}_{split}{path.suffix}"


def read_results(workdir: str | Path, split: str = "test") -> Results:
    """Read `workdir/results.json`, or that of another split.

    Raises:
      InputError: there is none, it is damaged, or of another schema.
    """
    workdir = path_given(workdir, "workdir")
    path = workdir / file_of_split("results.json", split)
    command = f"tcam evaluate --workdir={workdir}"
    if split != "test":
        command += f" --split={split}"
    if not path.is_file():
        raise InputError(f"{path} is not there; make it with `{command}`.")
    advice = f"Make it anew with `{command}`."
    content = read_json(path, dict[str, Any], advice)
    if content.get("schema") != SCHEMA:
        raise InputError(
            f"{path} has schema {content.get('schema')!r}, this version reads {SCHEMA}; "
            f"make it anew with `{command}`."
        )
    try:
        results: Results = fitted(content, Results)
        _check_lengths(results)
        check_class_names(results["classes"], str(path))
    except ValueError as error:
        raise damaged(path, str(error), advice) from error
    return results


def tau_of(results: Results, method: str, workdir: Path) -> float | None:
    """Return the threshold that evaluation chose for `method` in the run of `workdir`.

    Raises:
      InputError: it did not look at that method.
    """
    if method not in results["tau"]:
        raise InputError(
            f"{workdir / 'results.json'} must have a threshold tau of {method!r}; it has those of "
            f"{list(results['tau'])}. Make it anew with `tcam evaluate --workdir={workdir}`."
        )
    return results["tau"][method]


def _check_lengths(results: Results) -> None:
    """Refuse lists that do not belong together, by ValueError."""
    for number, row in enumerate(results["rows"]):
        if len(row["per_class"]) != len(results["classes"]):
            raise ValueError(f"rows[{number}].per_class must have a number for each of classes")
    curves = results["curves"]
    for method, values in (curves["corloc"] if curves else {}).items():
        if curves and len(values) != len(curves["tau"]):
            raise ValueError(f"curves.corloc[{method!r}] must have a number for each of curves.tau")
