"""Boxes that shake less: each becomes a mean over its track, of the frames around it."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from tcam_jax.predict.neighbours import with_neighbours
from tcam_jax.predict.prediction import Box, Prediction


def with_smooth_boxes(predictions: Iterable[Prediction], reach: int) -> Iterator[Prediction]:
    """Yield the predictions of one file, each box the mean of its track's near it in time.

    The window is centred, so that what moves steadily does not lag, and triangular: a box that lies
    d frames off has the weight `reach` + 1 - d. Maps and scores stay those of the frame; boxes
    without tracks stay too. As many as `reach` predictions are held back; an error of `predictions`
    is raised after them.

    Args:
      predictions: with tracks, see `tracks.with_tracks`.
      reach: frames before and after, 0 or more.
    """
    for near in with_neighbours(predictions, reach):
        centre = near[reach]
        assert centre is not None
        yield centre._replace(boxes=_means(centre, near))


def _means(centre: Prediction, near: Sequence[Prediction | None]) -> list[Box]:
    if centre.tracks is None:
        return centre.boxes
    reach = len(near) // 2
    means: list[Box] = []
    for track in centre.tracks:
        boxes, weights = [], []
        for place, one in enumerate(near):
            if one is not None and one.tracks is not None and track in one.tracks:
                boxes.append(one.boxes[one.tracks.index(track)])
                weights.append(reach + 1 - abs(place - reach))
        x0, y0, x1, y1 = np.average(boxes, axis=0, weights=weights).tolist()
        means.append((x0, y0, x1, y1))
    return means
