"""Boxes followed through a video: which of them show the same thing, by where they are.

As in SORT (Bewley et al., 2016, arXiv:1602.00763): each track is a Kalman filter of constant
velocity, and the boxes of a frame go to the tracks that they overlap most, here where these are
expected or where they were last: the network's boxes may shake more than they move. What
ByteTrack (Zhang et al., 2022, arXiv:2110.06864) adds, a second round for boxes of low confidence,
is not here: the class's probability is the whole frame's, and every box here is to have a track.
The times are the frames' own, so that neither a stride nor a frame rate changes what it means.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from tcam_jax.evaluate.corloc import edge_iou
from tcam_jax.predict.prediction import Box, Prediction

_LEAST_IOU = 0.1  # of a box and its track
_LOST_SECONDS = 1.0
_SECONDS_A_FRAME = 1 / 25  # of frames in memory, which have no times

# In sizes of the box, the square root of its area. A corner is found with this standard deviation,
# a new track's speed is unknown up to some sizes a second, and speeds change by some a second.
_NOISE, _FIRST_SPEED, _ACCELERATION = 0.1, 20.0, 3.0


def with_tracks(predictions: Iterable[Prediction]) -> Iterator[Prediction]:
    """Yield the predictions of one file with their `tracks`, as they come.

    Every box has a track, numbered from 1 in the order of their beginnings; a track that is not
    found for more than a second ends. Predictions of an image, where nothing moves, have none.

    Args:
      predictions: of one video, or of frames in memory, which count as 25 a second.
    """
    tracker = Tracker()
    for prediction in predictions:
        time = prediction.time
        if time is None and prediction.file is None:
            time = prediction.frame * _SECONDS_A_FRAME
        if time is None:
            yield prediction
        else:
            yield prediction._replace(tracks=tracker(prediction.boxes, time))


class Tracker:
    """Gives each box of a frame the number of its track."""

    def __init__(self) -> None:
        self._tracks: list[_Track] = []
        self._time: float | None = None
        self._begun = 0

    def __call__(self, boxes: Sequence[Box], time: float) -> list[int]:
        """Return the tracks of the boxes of the next frame, none of them twice.

        Args:
          boxes: x0, y0, x1, y1 each, edges in pixels.
          time: of the frame, seconds; no less than the last one's.
        """
        from scipy.optimize import linear_sum_assignment  # seldom needed, and slow to import

        step = 0.0 if self._time is None else max(time - self._time, 0.0)
        # However far apart frames are, a track of the last one may go on in this one.
        self._tracks = [
            one
            for one in self._tracks
            if one.found == self._time or time - one.found <= _LOST_SECONDS
        ]
        self._time = time
        found = np.array(boxes, float).reshape(-1, 4)
        expected = np.array([one.predict(step) for one in self._tracks]).reshape(-1, 4)
        last = np.array([one.last for one in self._tracks]).reshape(-1, 4)
        overlaps = np.maximum(edge_iou(expected, found), edge_iou(last, found))
        owners: list[_Track | None] = [None] * len(found)
        for row, column in zip(*linear_sum_assignment(overlaps, maximize=True), strict=True):
            if overlaps[row, column] >= _LEAST_IOU:
                owners[column] = self._tracks[row]
        return [self._number(owner, box, time) for owner, box in zip(owners, found, strict=True)]

    def _number(self, owner: "_Track | None", box: np.ndarray, time: float) -> int:
        if owner is None:
            self._begun += 1
            self._tracks.append(_Track(self._begun, box, time))
            return self._begun
        owner.correct(box, time)
        return owner.number


class _Track:
    """A box of constant velocity, but for accelerations that are noise.

    All four coordinates have the same variances, so one matrix `[2, 2]` serves them, of position
    and speed, in squares of the box's size.
    """

    def __init__(self, number: int, box: np.ndarray, time: float):
        self.number, self.last, self.found = number, box, time
        self._state = np.stack([box, np.zeros(4)])
        self._variances = np.diag([_NOISE**2, _FIRST_SPEED**2])

    def predict(self, step: float) -> np.ndarray:
        """Go on by `step` seconds; return where the box `[4]` is expected."""
        moved = np.array([[1, step], [0, 1]])
        drift = np.array([[step**3 / 3, step**2 / 2], [step**2 / 2, step]])
        self._state = moved @ self._state
        self._variances = moved @ self._variances @ moved.T + _ACCELERATION**2 * drift
        low, high = self._state[0, :2], self._state[0, 2:]
        return np.concatenate([low, np.maximum(low, high)])  # one that shrinks ends at nothing

    def correct(self, box: np.ndarray, time: float) -> None:
        """Take in where the box was found."""
        gain = self._variances[:, 0] / (self._variances[0, 0] + _NOISE**2)
        self._state = self._state + gain[:, None] * (box - self._state[0])
        self._variances = self._variances - np.outer(gain, self._variances[0])
        self.last, self.found = box, time
