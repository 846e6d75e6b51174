"""The final table of a run as data: `results.json`, written by evaluation and read by reports.

Schema 1:
  schema: 1
  dataset, split, frames, boxes: what was evaluated
  classes: [name]
  rows: one per method and threshold protocol, each
    method: "centre_box", "whole_frame", a CAM method, or "tcam"
    checkpoint: "STAGE/ROLE@STEP", null for the fixed boxes
    threshold: "val" (tau chosen on the validation split; honest) or "test" (tau maximised on the
      evaluated split, as the paper's tables), null for the fixed boxes
    tau: 0..1 of the map's maximum; null for the fixed boxes
    corloc: mean over classes, percent; the number to quote
    corloc_frames: mean over frames, percent
    per_class: [percent], in the order of `classes`; null for a class without boxes
  classification: {"STAGE/ROLE@STEP": accuracy in percent of frames}
  tau: {method: the validation threshold}, used by prediction
  seconds_per_frame: {"STAGE/ROLE@STEP": forward pass in evaluation batches}
CorLoc entries are null throughout where the split has no boxes.
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from tcam_jax.data.truth import Truth
from tcam_jax.errors import InputError
from tcam_jax.evaluate.corloc import Localisation, centre_box, whole_frame
from tcam_jax.evaluate.evaluator import score_boxes
from tcam_jax.files import write_whole

SCHEMA = 1
CENTRE_FRACTION = 0.5  # side of the centre box, of the frame
Row = dict[str, Any]


def method_rows(
    method: str,
    checkpoint: str,
    validation: Localisation | None,
    test: Localisation | None,
    num_classes: int,
) -> list[Row]:
    """Score one method at the threshold from validation and at the evaluated split's own best.

    Args:
      validation, test: the method's hits on the two splits; None where there are no boxes, which
        leaves out what needs them.
    """
    rows = []
    for threshold, chosen_on in (("val", validation), ("test", test)):
        row = {"method": method, "checkpoint": checkpoint, "threshold": threshold}
        if test is None or chosen_on is None:
            tau = None if chosen_on is None else chosen_on.best_tau()
            rows.append(row | {"tau": tau} | _unknown(num_classes))
            continue
        tau = chosen_on.best_tau()
        rows.append(row | {"tau": tau} | _scores(test, tau, num_classes))
    return rows


def fixed_box_rows(truth: Truth, size: int, num_classes: int) -> list[Row]:
    """Score two boxes that look at nothing: the centre's and the whole frame's."""
    fixed = {"centre_box": centre_box(size, CENTRE_FRACTION), "whole_frame": whole_frame(size)}
    rows = []
    for method, box in fixed.items():
        row = {"method": method, "checkpoint": None, "threshold": None, "tau": None}
        frames = len(truth.boxes)
        levels = np.broadcast_to(box, (frames, 256, 4))  # the same at every threshold
        scored = score_boxes(levels, np.full(frames, 255), truth, size, np.zeros(1))
        unknown = scored is None
        rows.append(row | (_unknown(num_classes) if unknown else _scores(scored, 0.0, num_classes)))
    return rows


def _scores(scored: Localisation, tau: float, num_classes: int) -> Row:
    chosen = scored.at(tau)
    per_class = chosen.per_class(num_classes)[0]
    return {
        "corloc": float(chosen.class_mean()[0]),
        "corloc_frames": float(chosen.frame_mean()[0]),
        "per_class": [None if math.isnan(value) else float(value) for value in per_class],
    }


def _unknown(num_classes: int) -> Row:
    return {"corloc": None, "corloc_frames": None, "per_class": [None] * num_classes}


def find_row(results: dict[str, Any], method: str, threshold: str | None) -> Row:
    """Return the row of `method` at `threshold` ("val", "test", or None for fixed boxes)."""
    for row in results["rows"]:
        if (row["method"], row["threshold"]) == (method, threshold):
            return row
    raise KeyError(f"no row {method!r} at threshold {threshold!r}")


def write_results(path: Path, results: dict[str, Any]) -> None:
    """Write `results` (see the module's schema) to `path`, whole or not at all."""
    write_whole(path, json.dumps({"schema": SCHEMA, **results}, indent=2) + "\n")


def read_results(workdir: str | Path) -> dict[str, Any]:
    """Read `workdir/results.json`.

    Raises:
      InputError: there is none, or it is of another schema.
    """
    path = Path(workdir) / "results.json"
    if not path.is_file():
        raise InputError(
            f"{path} is not there; make it with `python -m launch.evaluate --workdir={workdir}`."
        )
    results = json.loads(path.read_text())
    if results.get("schema") != SCHEMA:
        raise InputError(
            f"{path} has schema {results.get('schema')!r}, this version reads {SCHEMA}; "
            f"make it anew with `python -m launch.evaluate --workdir={workdir}`."
        )
    return results
