"""A sample of the validation frames, by which checkpoints are selected where all are too many."""

from collections import Counter
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int
from ml_collections import ConfigDict

from tcam_jax.data.protocol import Data
from tcam_jax.data.truth import Truth, video_of
from tcam_jax.runtime.errors import InputError


@runtime_checkable
class Thinnable(Protocol):
    """`Data` that can leave out evaluated frames."""

    def only(self, split: str, chosen: np.ndarray) -> Data:
        """The same data with only the chosen frames of `truth(split)`, bool `[frames]`."""


def sampled(config: ConfigDict, data: Data) -> Data:
    """Return `data` with `config.eval.frames` validation frames; all other splits stay whole.

    Which ones depends on the seed and on the split's truth alone, see `sample_of`.

    Returns:
      `data` itself, where all frames are wanted, or there are no more.

    Raises:
      InputError: too few are wanted for every class to have one, or `data` cannot leave out any.
    """
    count = config.eval.frames
    if not count:
        return data
    truth = data.truth("validation")
    if count >= len(truth.ids):
        return data
    classes = len(np.unique(truth.labels))
    if count < classes:
        raise InputError(
            f"config.eval.frames must be 0 (all), or at least {classes}: one frame of each class "
            f"of the validation split; got {count}."
        )
    if not isinstance(data, Thinnable):
        raise InputError(
            f"for config.eval.frames={count}, data must have the member `only` of "
            f"tcam_jax.data.dataset.Dataset; {type(data).__name__} lacks it. Or set it to 0: all "
            "validation frames are looked at."
        )
    by_boxes = config.eval.select_by == "boxes"
    return data.only("validation", sample_of(truth, count, config.seed, by_boxes))


def sample_of(truth: Truth, count: int, seed: int, by_boxes: bool) -> Bool[np.ndarray, "frames"]:
    """Choose frames, as many of each class as there are, up to the same number for all.

    Within a class, frames with boxes come first if `by_boxes`, then the first frame of every video,
    the second of every video, and so on; what is left to choose is drawn by the seed.

    Args:
      truth: of all frames.
      count: how many to choose.
      seed: 0 or more.
      by_boxes: whether the frames' true boxes matter; otherwise they are not looked at.
    """
    order = np.random.default_rng(seed).permutation(len(truth.ids))
    boxless = np.array([by_boxes and len(boxes) == 0 for boxes in truth.boxes], np.int64)
    in_video = _turns(2 * video_of(truth.ids) + boxless, order)
    order = order[np.lexsort((in_video[order], boxless[order]))]
    in_class = _turns(truth.labels, order)
    order = order[np.argsort(in_class[order], kind="stable")]
    chosen = np.zeros(len(order), bool)
    chosen[order[:count]] = True
    return chosen


def _turns(groups: np.ndarray, order: np.ndarray) -> Int[np.ndarray, "frames"]:
    """Return each frame's number within its group, counted in `order`."""
    turns, seen = np.zeros(len(order), np.int64), Counter[int]()
    for frame in order.tolist():
        group = int(groups[frame])
        turns[frame] = seen[group]
        seen[group] += 1
    return turns
