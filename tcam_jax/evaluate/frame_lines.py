"""What was said of every frame of a split: the lines of a run's `predictions.jsonl`."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import jax
import numpy as np

from tcam_jax.data.truth import Truth
from tcam_jax.evaluate.boxes import level_of
from tcam_jax.evaluate.protocols import own_rule
from tcam_jax.evaluate.results import FrameLine, Results, file_of_split
from tcam_jax.evaluate.split import MapAnswers, SplitScores
from tcam_jax.runtime.json_files import read_json_lines


def frame_lines(
    truth: Truth,
    scored: Mapping[str, SplitScores],
    results: Results,
    boxless: Mapping[str, float],
    size: int,
) -> str:
    """Return a line a frame: id, true class, class probabilities, each method's box and its IoU.

    Boxes are x0, y0, x1, y1 in pixels of the frame, at the method's threshold from validation, or
    each map's own where there is none; CAMs are the true class's. The IoU is the best with a
    true box, in the evaluated square, as scored; null for a frame without true boxes.
    `iou_without_boxes` is that of the box at the threshold which no true box was looked at for.

    Args:
      truth: of the evaluated split.
      scored: by method, on `truth`.
      results: their thresholds and classes are read.
      boxless: by method, tau without true boxes; of others it is `own_rule`.
      size: side of the evaluated square, pixels.
    """
    classes = results["classes"]
    predicting = list(scored.values())[-1]  # TCAM's network, if there is one
    probabilities = np.array(jax.nn.softmax(predicting.logits, axis=-1))
    lines = []
    for i, frame_id in enumerate(truth.ids):
        scale = np.tile(truth.sizes[i] / size, 2)
        boxes: dict[str, list[float]] = {}
        ious: dict[str, float | None] = {}
        without: dict[str, float | None] = {}
        for method, scores in scored.items():
            answers = scores.maps[method, "truth"]
            level = _level(answers, i, results["tau"][method], method)
            boxes[method] = (answers.boxes[i, level] * scale).tolist()
            ious[method] = _overlap(answers, i, level)
            level = _level(answers, i, boxless.get(method), method)
            without[method] = _overlap(answers, i, level)
        line: FrameLine = {
            "id": frame_id,
            "label": classes[truth.labels[i]],
            "probabilities": dict(zip(classes, probabilities[i].tolist(), strict=True)),
            "boxes": boxes,
            "iou": ious,
            "iou_without_boxes": without,
        }
        lines.append(json.dumps(line) + "\n")
    return "".join(lines)


def read_frame_lines(workdir: Path, split: str) -> list[FrameLine]:
    """Read what `frame_lines` wrote of a split of a run.

    Raises:
      InputError: it cannot be read, or is damaged.
    """
    advice = f"Make it anew with `tcam evaluate --workdir={workdir} --split={split}`."
    path = workdir / file_of_split("predictions.jsonl", split)
    lines: list[FrameLine] = read_json_lines(path, FrameLine, advice)
    return lines


def _level(answers: MapAnswers, i: int, tau: float | None, method: str) -> int:
    if tau is None:
        return int(answers.levels[own_rule(method)][i])
    return int(level_of(tau, int(answers.peaks[i])))


def _overlap(answers: MapAnswers, i: int, level: int) -> float | None:
    overlap = float(answers.overlaps["largest"][i, level])
    return None if math.isnan(overlap) else overlap
