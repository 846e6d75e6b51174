"""Which frames a report shows, and their pictures: best, worst, failures by kind, every class."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from tcam_jax.data.truth import Truth
from tcam_jax.evaluate.boxes import threshold_level
from tcam_jax.evaluate.maps import OF_LOGITS
from tcam_jax.evaluate.results import FrameLine
from tcam_jax.report.classes import guess_of
from tcam_jax.report.pictures import Figure, panels, still
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.json_files import damaged, read_json_lines

SHOWN = 6  # of the best and of the worst
SHOWN_FAILURES = 6  # of each kind
SHOWN_OF_CLASSES = 40  # of all classes together: their maps are in the page, which stays small
FAILURES = {
    "wrong class": "The most probable class is not the true one.",
    "too large": "At least 80 % of the true box is inside the box, and much else.",
    "too small": "At least 80 % of the box is inside the true one, of which it misses much.",
    "elsewhere": "An IoU below 0.1.",
    "beside": "All others with an IoU below 0.5.",
}


class Chosen(NamedTuple):
    """Places of frames in the truth.

    Attributes:
      best, worst: by the method's IoU; without true boxes the most and the least certain of
        their class, one of each shot.
      failures: {kind: frames}, the kinds of `FAILURES`, all of them.
      of_classes: some of every class.
    """

    best: list[int]
    worst: list[int]
    failures: dict[str, list[int]]
    of_classes: list[int]

    def shown(self) -> list[int]:
        """Return all frames that need a picture, each once."""
        failures = [i for kind in self.failures for i in self.examples(kind)]
        return sorted({*self.best, *self.worst, *failures, *self.of_classes})

    def examples(self, kind: str) -> list[int]:
        """Return the failures of a kind that are shown."""
        return _spread(self.failures[kind], SHOWN_FAILURES)


def read_lines(
    workdir: Path, truth: Truth, classes: Sequence[str], methods: Sequence[str]
) -> list[FrameLine]:
    """Read predictions.jsonl, a line for each frame of `truth`.

    Args:
      workdir: of the run.
      truth: of the evaluated split.
      classes: `[k]`, in the order of the labels.
      methods: whose boxes each line must have.

    Raises:
      InputError: it is not there, damaged, or of other frames, classes or methods.
    """
    path = workdir / "predictions.jsonl"
    advice = f"Make it anew with `tcam evaluate --workdir={workdir}`."
    lines = read_json_lines(path, FrameLine, advice) if path.exists() else []
    if [line["id"] for line in lines] != list(truth.ids):
        raise InputError(
            f"{path} must have a line for each evaluated frame; make it anew with "
            f"`tcam evaluate --workdir={workdir}`."
        )
    for number, (line, label) in enumerate(zip(lines, truth.labels.tolist(), strict=True), 1):
        names = line["label"], list(line["probabilities"])
        if names != (classes[label], list(classes)):
            raise damaged(path, f"line {number} has other classes than results.json", advice)
        if lost := [name for name in methods if name not in line["boxes"].keys() & line["iou"]]:
            raise damaged(path, f"line {number} lacks boxes or iou of {', '.join(lost)}", advice)
    return lines


def choose(lines: Sequence[FrameLine], truth: Truth, method: str, per_class: int) -> Chosen:
    """Choose the frames to show of a method; up to `per_class` of every class."""
    merit = {i: iou for i, line in enumerate(lines) if (iou := line["iou"][method]) is not None}
    of_shots = not merit
    if of_shots:
        merit = {i: max(line["probabilities"].values()) for i, line in enumerate(lines)}
    best = _first(sorted(merit, key=merit.__getitem__, reverse=True), lines, of_shots)
    worst = _first(sorted(merit, key=lambda i: (merit[i], -i)), lines, of_shots)
    failures: dict[str, list[int]] = {kind: [] for kind in FAILURES}
    for i, line in enumerate(lines):
        kind = failure_of(line, truth.boxes[i], method)
        if kind:
            failures[kind].append(i)
    of_classes, labels = [], np.unique(truth.labels)
    per_class = max(min(per_class, SHOWN_OF_CLASSES // len(labels)), 1)
    for label in labels:
        of_classes += _spread(np.flatnonzero(truth.labels == label).tolist(), per_class)
    return Chosen(best, worst, failures, _spread(of_classes, SHOWN_OF_CLASSES))


def _first(frames: list[int], lines: Sequence[FrameLine], of_shots: bool) -> list[int]:
    """Return the first frames; of each shot one, as neighbours are alike, or any."""
    by_shot: dict[str, int] = {}
    for i in frames:
        by_shot.setdefault(lines[i]["id"].rpartition("/")[0], i)
    return (list(by_shot.values()) if of_shots else frames)[:SHOWN]


def _spread(frames: list[int], count: int) -> list[int]:
    places = np.linspace(0, len(frames) - 1, min(count, len(frames))).astype(int)
    return [frames[place] for place in places]


def failure_of(line: FrameLine, true_boxes: np.ndarray, method: str) -> str | None:
    """Return what is wrong with a method's answer, a kind of `FAILURES`; None where nothing is."""
    if guess_of(line) != line["label"]:
        return "wrong class"
    overlap = line["iou"][method]
    if overlap is None or overlap >= 0.5:
        return None
    x0, y0, x1, y1 = line["boxes"][method]
    widths = np.minimum(true_boxes[:, 2], x1) - np.maximum(true_boxes[:, 0], x0)
    heights = np.minimum(true_boxes[:, 3], y1) - np.maximum(true_boxes[:, 1], y0)
    common = np.clip(widths, 0, None) * np.clip(heights, 0, None)
    best = common.argmax()
    true_x0, true_y0, true_x1, true_y1 = true_boxes[best]
    if common[best] >= 0.8 * (true_x1 - true_x0) * (true_y1 - true_y0) > 0:
        return "too large"
    if common[best] >= 0.8 * (x1 - x0) * (y1 - y0) > 0:
        return "too small"
    return "elsewhere" if overlap < 0.1 else "beside"


def figure(
    line: FrameLine,
    image: Image.Image,
    levels: np.ndarray,
    true_boxes: np.ndarray,
    method: str,
    tau: float | None,
) -> Figure:
    """Draw one method's answer on a frame as it was scored.

    Args:
      line: of the frame.
      image: the frame.
      levels: the method's map.
      true_boxes: `[g, 4]` in pixels of the frame.
      method: a key of the line's boxes.
      tau: their threshold; None: each map's own.
    """
    guess = guess_of(line)
    answer = f"{guess} {100 * line['probabilities'][guess]:.0f} %"
    overlap = line["iou"][method]
    iou = "" if overlap is None else f", IoU {overlap:.2f}"
    caption = f"{method}: {line['label']} → {answer}{iou}"
    alt = (
        f"{line['id']}: the frame with {len(true_boxes)} true boxes in green and the box of "
        f"{method} in red{iou}; beside it the frame under the map of {method}, its region in white"
    )
    box = np.array([line["boxes"][method]], float)
    level = threshold_level(levels, tau, method in OF_LOGITS)
    return still(panels(image, levels, np.asarray(true_boxes, float), box, level), alt, caption)
