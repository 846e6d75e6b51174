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
    whole: Callable[[np.ndarray], np.ndarray],
) -> Evaluation:
    """Run `forward` (of `evaluate.maps.make_forward`, for `methods`) over `batches`.

    Args:
      forward: as made by `make_forward`.
      variables: on the devices that `shard` uses.
      batches: this process's {"frames": uint8 [b, s, s, 3], "record": int64 [b]}; padding has
        record -1, and every frame of `truth` comes once, in some process.
      truth: of all frames.
      methods: those of `forward`.
      shard: spreads a batch over the devices, see `train.parallel.Parallel.shard_flat`.
      whole: adds up the arrays of all processes, see `train.processes.total`.

    CAMs are made for the true class, as the reference scores them.
    """
    index_of = {record: index for index, record in enumerate(truth.records.tolist())}
    count, seconds, timed = len(truth.labels), 0.0, 0
    logits: np.ndarray | None = None
    boxes = {method: np.zeros((count, 256, 4), np.int32) for method in methods}
    peaks = {method: np.zeros(count, np.int32) for method in methods}
    otsu = {method: np.zeros(count, np.int32) for method in methods}
    for number, batch in enumerate(batches):
        real = np.flatnonzero(batch["record"] >= 0)
        indices = [index_of[record] for record in batch["record"][real].tolist()]
        classes = np.zeros(len(batch["record"]), np.int32)
        classes[real] = truth.labels[indices]
        start = time.perf_counter()
        inputs = shard({"frames": batch["frames"], "classes": classes})
        outputs = jax.device_get(forward(variables, inputs["frames"], inputs["classes"]))
        if number > 0:  # the first batch may compile
            seconds += time.perf_counter() - start
            timed += len(classes)
        if logits is None:
            logits = np.zeros((count, outputs.logits.shape[-1]), outputs.logits.dtype)
        logits[indices] = outputs.logits[real]
        for method, maps in zip(methods, outputs.maps, strict=True):
            for index, u8 in zip(indices, maps[real], strict=True):
                boxes[method][index] = boxes_by_level(u8)
                peaks[method][index] = u8.max()
                otsu[method][index] = otsu_level(u8)
    frames = int(whole(np.array(timed)))  # the processes work at the same time
    return Evaluation(
        logits=whole(logits),
        boxes={method: whole(rows) for method, rows in boxes.items()},
        peaks={method: whole(rows) for method, rows in peaks.items()},
        otsu={method: whole(rows) for method, rows in otsu.items()},
        seconds_per_frame=seconds / frames if frames else None,
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
