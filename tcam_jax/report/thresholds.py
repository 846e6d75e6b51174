"""Frames of every class whose maps the page thresholds itself, at the place of a slider."""

import json
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from tcam_jax.data.truth import Truth
from tcam_jax.evaluate.boxes import LEVELS, threshold_level
from tcam_jax.evaluate.maps import OF_LOGITS
from tcam_jax.evaluate.protocols import own_rule
from tcam_jax.evaluate.results import FrameLine, Results
from tcam_jax.evaluate.split import scaled_truth
from tcam_jax.report.classes import guess_of
from tcam_jax.report.page import Frame, Group, Section, Slider, View
from tcam_jax.report.pictures import Figure, as_png, shrunk, still


def thresholds_section(
    frames: Sequence[int],
    lines: Sequence[FrameLine],
    truth: Truth,
    images: Mapping[int, Image.Image],
    levels: Mapping[int, Mapping[str, np.ndarray]],
    methods: Sequence[str],
    results: Results,
) -> Section:
    """Return the section of the sliders.

    Args:
      frames: places in `truth` of those shown, by class.
      lines: of predictions.jsonl.
      truth: of the evaluated split.
      images: the frames.
      levels: {place: {method: quantised map}}.
      methods: one slider each; side by side on every frame, in this order.
      results: see `evaluate.results`.
    """
    text = (
        "The contour of what lies above the threshold is white, the box of its largest region red, "
        "a true box green; the share of the frame is that region's. A threshold on TCAM's logits "
        "is the same for all frames; on a CAM, or a probability, it is a share of the map's own "
        "maximum. A CAM is the true class's."
    )
    if truth.has_boxes:
        text += f" CorLoc is that of all frames of the {results['split']} split."
    groups = [Group(text=text, sliders=[slider_of(lines, results, method) for method in methods])]
    for label, name in enumerate(results["classes"]):
        shown = [
            Frame(
                _figure(lines[i], images[i]),
                [
                    view_of(lines[i], truth, i, levels[i][method], method, results)
                    for method in methods
                ],
            )
            for i in frames
            if truth.labels[i] == label
        ]
        if shown:
            groups.append(Group(name, frames=shown))
    return Section("thresholds", "Move the threshold", groups)


def slider_of(lines: Sequence[FrameLine], results: Results, method: str) -> Slider:
    """Return a method's slider, at the threshold of the run's boxes."""
    tau, curves = results["tau"][method], results["curves"]
    own = own_rule(method).replace("_", "-").title()
    origin = f"{own}'s of each map" if tau is None else f"{tau:.3f}, the run's"
    curve = None if curves is None else curves["corloc"].get(method)
    at_start = json.dumps(_corloc(lines, method))
    return Slider(method, 0.5 if tau is None else tau, origin, at_start, json.dumps(curve))


def view_of(
    line: FrameLine, truth: Truth, place: int, u8: np.ndarray, method: str, results: Results
) -> View:
    """Return a method's map on a frame, thresholded as the run does.

    Args:
      line: of the frame.
      truth: of the split, and the frame's `place` in it.
      u8: the quantised map.
      method: whose.
      results: its thresholds are read.
    """
    of_logits = method in OF_LOGITS
    boxes = scaled_truth(truth, place, len(u8)).tolist()
    alt = (
        f"{line['id']}: {method}'s region above the threshold as a white contour, its box in red, "
        f"{len(boxes)} true boxes in green"
    )
    level = threshold_level(u8, results["tau"][method], of_logits)
    peak = LEVELS - 1 if of_logits else int(u8.max())
    return View(method, as_png(u8), level, peak, json.dumps(boxes), alt)


def _figure(line: FrameLine, image: Image.Image) -> Figure:
    guess = guess_of(line)
    caption = f"{line['label']} → {guess} {100 * line['probabilities'][guess]:.0f} %"
    return still(shrunk(image), f"{line['id']}, a frame of {line['label']}", caption)


def _corloc(lines: Sequence[FrameLine], method: str) -> float | None:
    """Return CorLoc of the lines' boxes, percent, mean over classes; None without true boxes."""
    of_class: dict[str, list[bool]] = {}
    for line in lines:
        overlap = line["iou"][method]
        if overlap is not None:
            of_class.setdefault(line["label"], []).append(overlap >= 0.5)
    means = [np.mean(hits) for hits in of_class.values()]
    return round(100 * float(np.mean(means)), 2) if means else None
