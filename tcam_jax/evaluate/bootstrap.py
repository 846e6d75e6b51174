"""How sure a CorLoc is: confidence intervals by resampling videos.

Frames of one video resemble each other, so the videos are drawn anew (with replacement, within each
class), not the frames: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, percentile
intervals. The threshold is not chosen anew, and another training would differ by more.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

RESAMPLES, COVERAGE = 1000, 0.95


class VideoBootstrap:
    """The same resamples for every figure of a split, so that their intervals can be compared.

    Args:
      labels: class of each frame, int `[frames]`.
      videos: number of each frame's video, int `[frames]`.
    """

    def __init__(self, labels: Int[np.ndarray, "frames"], videos: Int[np.ndarray, "frames"]):
        pairs, numbers = np.unique(np.stack([labels, videos]), axis=1, return_inverse=True)
        self._videos, class_of, count = numbers.ravel(), pairs[0], pairs.shape[1]
        generator = np.random.default_rng(0)
        draws = np.zeros((RESAMPLES, count))
        present = np.unique(labels)
        for label in present:
            members = np.flatnonzero(class_of == label)
            share = np.full(len(members), 1 / len(members))
            draws[:, members] = generator.multinomial(len(members), share, RESAMPLES)
        self._draws = draws
        self._of_class = (class_of[:, None] == present).astype(np.float64)
        frames = np.bincount(self._videos, minlength=count)
        self._frames = draws @ (frames[:, None] * self._of_class)

    def class_means(self, correct: Bool[np.ndarray, "frames"]) -> Float[np.ndarray, "resamples"]:
        """Return the mean over classes of the share of `correct` frames, percent, per resample."""
        found = np.bincount(self._videos, correct, minlength=len(self._of_class))
        return 100 * (self._draws @ (found[:, None] * self._of_class) / self._frames).mean(axis=1)


def interval(values: Float[np.ndarray, "resamples"]) -> list[float]:
    """Return the percentile interval [low, high] that covers `COVERAGE` of `values`."""
    tail = 50 * (1 - COVERAGE)
    return np.percentile(values, [tail, 100 - tail]).tolist()
