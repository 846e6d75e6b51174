"""What validation looks at, and no more: accuracy, CorLoc at its thresholds, the foreground's area.

The same figures as `split.score_split`, `judge` and `sweep` give, without the boxes, the other
regions and the rules that only a results table needs.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float, UInt8

from tcam_jax.data.truth import Truth
from tcam_jax.evaluate.boxes import LEVELS, level_of
from tcam_jax.evaluate.corloc import TAUS_VALIDATION, Localisation
from tcam_jax.evaluate.level_hits import level_hits
from tcam_jax.evaluate.logit_map import level_of_logit
from tcam_jax.evaluate.maps import OF_LOGITS, FrameOutputs
from tcam_jax.evaluate.split import scaled_truth
from tcam_jax.evaluate.walk import Batch, Job, Seen, walk
from tcam_jax.models.tcam import Variables


class SelectionScores(NamedTuple):
    """A network's answers for the frames of a `Truth`; zeros for those of other processes.

    Added up over the processes (`jax.tree.map(processes.all_reduce_sum, scores)`) they are whole.

    Attributes:
      logits: `[frames, k]`.
      hits: whether the largest region's box has an IoU of at least 0.5 with a true box at each of
        `TAUS_VALIDATION`, 0 or 1, uint8 `[frames, 250]`; 0 for a frame without true boxes.
      areas: share of the map above the middle of its scale, 0..1 `[frames]`. Of TCAM's maps that is
        where foreground is likelier than background (z > 0, to within the map's 8 bits).
    """

    logits: Float[np.ndarray, "frames k"]
    hits: UInt8[np.ndarray, "frames taus"]
    areas: Float[np.ndarray, " frames"]


def selection_scores(
    forward: Callable[..., FrameOutputs],
    variables: Variables,
    batches: Iterable[Batch],
    truth: Truth,
    method: str,
    shard: Callable[[Batch], Mapping[str, jax.Array]],
) -> SelectionScores:
    """Run `forward` (of `evaluate.maps.make_forward`, for `method` alone) over `batches`.

    It talks to no other process, so that it may run in a thread beside training.

    Args:
      forward, variables, batches, truth, shard: see `evaluate.walk.walk`.
      method: the map that is judged.

    Raises:
      ValueError: there is no batch.
    """
    hits = np.zeros((len(truth.labels), len(TAUS_VALIDATION)), np.uint8)
    areas = np.zeros(len(hits), np.float32)
    logits: np.ndarray | None = None
    of_logits = method in OF_LOGITS

    def judge(index: int, u8: np.ndarray) -> None:
        peak = LEVELS - 1 if of_logits else int(u8.max())
        true_boxes = scaled_truth(truth, index, len(u8))
        hits[index] = level_hits(u8, level_of(TAUS_VALIDATION, peak), true_boxes)

    def measure(seen: Seen) -> None:
        areas[seen.indices] = (seen.maps[0, seen.real] > level_of_logit(0.0)).mean((1, 2))

    def jobs(seen: Seen) -> Iterable[Job]:
        nonlocal logits
        if logits is None:
            logits = np.zeros((len(hits), seen.logits.shape[-1]), seen.logits.dtype)
        logits[seen.indices] = seen.logits[seen.real]
        yield partial(measure, seen)
        for place, index in zip(seen.real, seen.indices, strict=True):
            if len(truth.boxes[index]):
                yield partial(judge, index, seen.maps[0, place])

    walk(forward, variables, batches, truth, shard, jobs)
    assert logits is not None  # `walk` has seen a batch
    return SelectionScores(logits, hits, areas)


def selection_corloc(scores: SelectionScores, truth: Truth) -> float | None:
    """Return the frame mean of CorLoc at the threshold that is best on these frames, percent.

    Args:
      scores: of all processes.
      truth: its frames; those without boxes do not count.

    Returns:
      None where no frame has a box.
    """
    boxed = np.array([len(true_boxes) > 0 for true_boxes in truth.boxes], bool)
    if not boxed.any():
        return None
    swept = Localisation(scores.hits[boxed].astype(bool), truth.labels[boxed], TAUS_VALIDATION)
    return float(swept.frame_mean().max())
