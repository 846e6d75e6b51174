"""Time per frame of localisation, as in the last column of the paper's Table 1.

A frame's time here is everything between a uint8 frame in the host's memory and its uint8 map
there: copies, classifier, map, enlargement. The paper's figures for CAM and the Grad methods begin
after the classifier's forward pass, TCAM's includes it, so `beyond_forward` is given too.
"""

from typing import Any

import jax
import numpy as np
from scipy import ndimage

from tcam_jax.benchmark.rounds import summary, take_turns
from tcam_jax.evaluate.level_boxes import level_boxes
from tcam_jax.evaluate.maps import PREDICTED, TCAM_METHOD, make_forward
from tcam_jax.models.tcam import TCAM, Variables, for_inference

PUBLISHED_METHODS = (
    "cam",
    "gradcam",
    "gradcampp",
    "smoothgradcampp",
    "xgradcam",
    "layercam",
    TCAM_METHOD,
)
"""The CAM methods of Table 1, and TCAM."""

CLASSIFIER_ALONE = "classifier"


def time_per_frame(
    model: TCAM,
    variables: Variables,
    size: int,
    batches: tuple[int, ...],
    rounds: int,
) -> list[dict[str, Any]]:
    """Time every method of `PUBLISHED_METHODS`, and the classifier alone, for every batch size.

    Args:
      model, variables: a network; its weights do not matter.
      size: of the frames, pixels.
      batches: frames a call.
      rounds: measurements of each method, see `benchmark.rounds`.

    Returns:
      One row a method and batch size: "method", "batch", "milliseconds" a frame, their
      "quartiles", and "beyond_forward": milliseconds more than the classifier alone.
    """
    variables = for_inference(model, jax.device_put(variables))

    @jax.jit
    def classify(variables: Variables, frames: jax.Array, classes: jax.Array) -> jax.Array:
        return model.apply(variables, model.normalise(frames), method="classify").logits

    forwards = {CLASSIFIER_ALONE: classify}
    forwards |= {method: make_forward(model, (method,)) for method in PUBLISHED_METHODS}
    rows = []
    for batch in batches:
        frames = np.random.default_rng(0).integers(0, 256, (batch, size, size, 3), np.uint8)
        classes = np.full(batch, PREDICTED, np.int32)

        def way(forward: Any, frames: np.ndarray = frames, classes: np.ndarray = classes) -> Any:
            return lambda: jax.device_get(forward(variables, frames, classes))

        seconds = take_turns({name: way(forward) for name, forward in forwards.items()}, rounds)
        figures = {name: summary(times, batch) for name, times in seconds.items()}
        for name, figure in figures.items():
            beyond = figure["milliseconds"] - figures[CLASSIFIER_ALONE]["milliseconds"]
            rows.append({"method": name, "batch": batch, **figure, "beyond_forward": beyond})
    return rows


def boxes_per_map(size: int, count: int) -> dict[str, dict[str, float]]:
    """Time the boxes of all thresholds of one map, on the host.

    Args:
      size: of the maps, pixels.
      count: maps of each kind; each is measured once.

    Returns:
      Milliseconds a map and their quartiles, for maps like CAMs (28 x 28 values, enlarged), smooth
      ones, and noise, which has the most regions that a map can have.
    """
    rng = np.random.default_rng(0)

    def like_cams() -> np.ndarray:
        coarse = ndimage.gaussian_filter(rng.random((28, 28)), 2)
        return ndimage.zoom(coarse, size / 28, order=1)

    kinds = {
        "like CAMs": like_cams,
        "smooth": lambda: ndimage.gaussian_filter(rng.random((size, size)), size / 20),
        "noise": lambda: rng.random((size, size)),
    }
    figures = {}
    for kind, make in kinds.items():
        ways = {}
        for number in range(count):
            values = make()
            u8 = (255 * (values - values.min()) / np.ptp(values)).astype(np.uint8)
            ways[str(number)] = lambda u8=u8: level_boxes(u8).largest_boxes()
        seconds = take_turns(ways, rounds=1)
        figures[kind] = summary([times[0] for times in seconds.values()])
    return figures
