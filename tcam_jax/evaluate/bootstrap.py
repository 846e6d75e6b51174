"""How sure a CorLoc is: confidence intervals by resampling videos.

Frames of one video resemble each other, so the videos are drawn anew (with replacement, within each
class), not the frames: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, percentile
intervals. The threshold is not chosen anew, and another training would differ by more. A class of
one video has nothing to draw from: how much its videos differ, and so any interval, is not known.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Num, Shaped

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
        self._is_known = bool((np.bincount(class_of)[present] > 1).all())
        self._first_of_class = np.searchsorted(class_of, present)  # videos are sorted by class
        self._frames = self._of_classes(np.bincount(self._videos, minlength=count))

    def class_means(
        self, correct: Shaped[np.ndarray, "frames"]
    ) -> Float[np.ndarray, "resamples"] | None:
        """Return the mean over classes of the share of `correct` frames, percent, per resample.

        None where a class has a single video.

        Args:
          correct: yes or no; or numbers, such as the share of several runs that are.
        """
        if not self._is_known:
            return None
        found = np.bincount(self._videos, correct, minlength=self._draws.shape[1])
        return 100 * (self._of_classes(found) / self._frames).mean(axis=1)

    def _of_classes(self, counts: Num[np.ndarray, "videos"]) -> Float[np.ndarray, "resamples k"]:
        """Add up what the videos of each class have, in each resample."""
        # No matrix product: BLAS would spin on all cores, after each of the hundreds of figures.
        return np.add.reduceat(self._draws * counts, self._first_of_class, axis=1)


def interval(values: Float[np.ndarray, "resamples"]) -> list[float]:
    """Return the percentile interval [low, high] that covers `COVERAGE` of `values`."""
    tail = 50 * (1 - COVERAGE)
    return np.percentile(values, [tail, 100 - tail]).tolist()


class Difference(NamedTuple):
    """Of two CorLocs, in points.

    Attributes:
      mean: over classes and runs.
      interval: [low, high], of `COVERAGE`; None where a class has a single video.
    """

    mean: float
    interval: list[float] | None


def paired_difference(
    ours: Bool[np.ndarray, "runs frames"],
    theirs: Bool[np.ndarray, "others frames"],
    labels: Int[np.ndarray, "frames"],
    videos: Int[np.ndarray, "frames"],
) -> Difference:
    """Return by how much one method's CorLoc is above another's, on the same frames.

    The mean over classes of each run, averaged over runs (seeds). The same resampled videos count
    for both methods and all runs, so what makes a video easy or hard for both drops out.

    Args:
      ours, theirs: which frames each run's boxes hit.
      labels, videos: as of `VideoBootstrap`.
    """
    gain = ours.mean(axis=0) - theirs.mean(axis=0)
    of_classes = [gain[labels == label].mean() for label in np.unique(labels)]
    samples = VideoBootstrap(labels, videos).class_means(gain)
    known = None if samples is None else interval(samples)
    return Difference(100 * float(np.mean(of_classes)), known)
