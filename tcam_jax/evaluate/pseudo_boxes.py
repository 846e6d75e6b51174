"""Boxes that nobody drew, in place of true ones: to select checkpoints where there are none.

A source of them turns a `Truth` into one with other boxes, and all that measures CorLoc works on it
as on any. A frame of which a source is not sure has none, and is left out. After Murtaza et al., "A
Realistic Protocol for Evaluation of Weakly Supervised Object Localization", WACV 2025. True boxes
are never looked at.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Float

from tcam_jax.data.records import Split
from tcam_jax.data.truth import Truth
from tcam_jax.evaluate.motion import motion_boxes
from tcam_jax.evaluate.selective_search import selective_search_boxes
from tcam_jax.evaluate.small_frame import Frame, Neighbours, no_box
from tcam_jax.evaluate.split import SplitScores
from tcam_jax.runtime.cores import usable_cores

PseudoBoxes = Callable[[Frame, Neighbours], Float[np.ndarray, "n 4"]]
"""From a frame, RGB, and its shot to boxes x0, y0, x1, y1 in its pixels, corners inside."""

PSEUDO_BOXES: dict[str, PseudoBoxes] = {
    "motion": motion_boxes,
    "selective_search": selective_search_boxes,
}
"""By the name that `config.eval.select_by` has for it."""


def without_boxes(truth: Truth) -> Truth:
    """Return the same frames, as if nobody had drawn a box."""
    return truth._replace(boxes=[no_box()] * len(truth.ids))


def pseudo_truth(split: Split, truth: Truth, source: str) -> Truth:
    """Return the frames of `truth` with the boxes that `source` finds in `split`.

    Args:
      split: whose frames they are.
      truth: its boxes are not looked at.
      source: one of `PSEUDO_BOXES`.

    Raises:
      InputError: a record is damaged, or the source needs what is not installed.
    """
    find = PSEUDO_BOXES[source]

    def of(record: int) -> Float[np.ndarray, "n 4"]:
        return find(*with_neighbours(split, record))

    with ThreadPoolExecutor(usable_cores()) as pool:
        return truth._replace(boxes=list(pool.map(of, truth.records.tolist())))


def with_neighbours(split: Split, record: int) -> tuple[Frame, Neighbours]:
    """Return a frame as it is stored, and what reads those beside it in its shot.

    Raises:
      InputError: a record is damaged; by the neighbours too.
    """
    shot = split.table.shot[record]
    start, stop = int(split.table.start[shot]), int(split.table.stop[shot])

    def neighbours(distance: int) -> list[Frame]:
        near = (record - distance, record + distance)
        return [split.read_image(other) for other in near if start <= other < stop]

    return split.read_image(record), neighbours


def truth_of_maps(truth: Truth, scores: SplitScores, method: str, size: int) -> Truth:
    """Return the frames of `truth` with the boxes of a map's Otsu regions, those of the true class.

    Args:
      truth: its boxes are not looked at.
      scores: of these frames.
      method: which of its maps.
      size: side of the maps, pixels.
    """
    answers = scores.maps[method, "truth"]
    boxes = answers.boxes[np.arange(len(truth.ids)), answers.levels["otsu"]]
    # The middles of pixels: cut to whole ones again (`scale_boxes`), they are the same boxes.
    scaled = (boxes + 0.5) * np.tile(truth.sizes / size, 2)
    found = [
        box[None].astype(np.float32) if region.any() else no_box()
        for box, region in zip(scaled, boxes, strict=True)
    ]
    return truth._replace(boxes=found)
