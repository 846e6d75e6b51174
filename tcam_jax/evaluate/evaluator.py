"""Runs a network over the labelled frames of a split and gathers what the metrics need."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np

from tcam_jax.data.truth import Truth
from tcam_jax.evaluate.boxes import boxes_by_level, otsu_level
from tcam_jax.evaluate.corloc import Localisation, hits, scale_boxes
from tcam_jax.evaluate.maps import FrameOutputs
from tcam_jax.models.tcam import Variables

Batch = Mapping[str, np.ndarray]


class Evaluation(NamedTuple):
    """A network's answers for every frame of a `Truth`.

    Attributes:
      logits: `[frames, k]`.
      boxes: per method, the box at each of the 256 levels of the map, int32 `[frames, 256, 4]`.
      peaks: per method, the map's largest value, 0..255, int32 `[frames]`.
      otsu: per method, Otsu's level of the map, 0..254, int32 `[frames]`.
      seconds_per_frame: forward pass alone, without its compilation; None for a single batch.
    """

    logits: np.ndarray
    boxes: Mapping[str, np.ndarray]
    peaks: Mapping[str, np.ndarray]
    otsu: Mapping[str, np.ndarray]
    seconds_per_frame: float | None


def evaluate(
    forward: Callable[..., FrameOutputs],
    variables: Variables,
    batches: Iterable[Batch],
    truth: Truth,
    methods: Sequence[str],
    shard: Callable[[Batch], Mapping[str, jax.Array]],
) -> Evaluation:
    """Run `forward` (of `evaluate.maps.make_forward`, for `methods`) over `batches`.

    Args:
      batches: {"frames": uint8 [b, s, s, 3], "record": int64 [b]} in the order of `truth`; padding
        has record -1.
      shard: spreads a batch over the devices, see `train.parallel.Parallel.shard_flat`.

    CAMs are made for the true class, as the reference scores them.
    """
    logits, seconds, counted = [], 0.0, 0
    boxes = {method: [] for method in methods}
    peaks = {method: [] for method in methods}
    otsu = {method: [] for method in methods}
    for index, batch in enumerate(batches):
        real = int((batch["record"] >= 0).sum())
        done = len(logits)
        classes = np.zeros(len(batch["record"]), np.int32)
        classes[:real] = truth.labels[done : done + real]
        start = time.perf_counter()
        inputs = shard({"frames": batch["frames"], "classes": classes})
        outputs = jax.device_get(forward(variables, inputs["frames"], inputs["classes"]))
        if index > 0:  # the first batch may compile
            seconds += time.perf_counter() - start
            counted += len(classes)
        logits.extend(outputs.logits[:real])
        for method, maps in zip(methods, outputs.maps, strict=True):
            boxes[method].extend(boxes_by_level(u8) for u8 in maps[:real])
            peaks[method].extend(maps[:real].max(axis=(1, 2)))
            otsu[method].extend(otsu_level(u8) for u8 in maps[:real])
    return Evaluation(
        logits=np.stack(logits),
        boxes={method: np.stack(rows) for method, rows in boxes.items()},
        peaks={method: np.array(rows, np.int32) for method, rows in peaks.items()},
        otsu={method: np.array(rows, np.int32) for method, rows in otsu.items()},
        seconds_per_frame=seconds / counted if counted else None,
    )


def accuracy(evaluation: Evaluation, truth: Truth) -> float:
    """Return the classification accuracy, percent of frames."""
    return 100.0 * float((evaluation.logits.argmax(-1) == truth.labels).mean())


def localisation(
    evaluation: Evaluation, truth: Truth, method: str, size: int, taus: np.ndarray
) -> Localisation | None:
    """Score one method's boxes at every threshold; None where no frame has a true box.

    Args:
      size: the square at which the frames were evaluated, pixels; true boxes are scaled to it.
    """
    return score_boxes(evaluation.boxes[method], evaluation.peaks[method], truth, size, taus)


def score_boxes(
    boxes: np.ndarray, peaks: np.ndarray, truth: Truth, size: int, taus: np.ndarray
) -> Localisation | None:
    """Score boxes by level `[frames, 256, 4]` of maps with `peaks [frames]`; see `localisation`."""
    labelled = [i for i, true_boxes in enumerate(truth.boxes) if len(true_boxes)]
    if not labelled:
        return None
    rows = [hits(boxes[i], int(peaks[i]), scaled_truth(truth, i, size), taus) for i in labelled]
    return Localisation(np.stack(rows), truth.labels[labelled], taus)


def scaled_truth(truth: Truth, index: int, size: int) -> np.ndarray:
    """Return the true boxes `[g, 4]` of one frame in pixels of the `size` x `size` evaluation."""
    width, height = truth.sizes[index]
    return scale_boxes(truth.boxes[index], int(width), int(height), size)
