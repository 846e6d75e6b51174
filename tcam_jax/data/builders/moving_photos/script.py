"""What the script of a `moving_photos` shot says, and what the difficulties and splits differ in.

Lengths are pixels of the frame, whose pixel centres have integer coordinates; a `size` is
the geometric mean of the sides of a cut-out's box; times are frames.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from tcam_jax.data.builders.moving_photos.sources import SPLIT_NAMES
from tcam_jax.data.builders.sources import SplitSize

WIDTH, HEIGHT = 240, 180
FRAME = np.array([WIDTH, HEIGHT], np.float64)


SPLITS: dict[str, SplitSize] = {
    "train": SplitSize(videos=20, shots=3, frames=12),
    "validation": SplitSize(videos=10, shots=2, frames=5),
    "test": SplitSize(videos=19, shots=2, frames=5),
}


class Level(NamedTuple):
    """How difficult the videos are. Chances are of a shot where nothing else is said.

    Attributes:
        sizes: least and largest size of an object, in those of the frame.
        outside: share of an object's width or height that may lie outside the frame.
        clutter: chances of 0, 1, 2 objects of other classes.
        clutter_sizes: their sizes, in that of the object.
        occluded: chance that something passes before the object.
        second: chance of a second object of the class.
        absent: chance of a training video that one of its shots does not show the object.
        blurred: chance of a frame to be out of focus.
        speed: factor of all movements.
    """

    sizes: tuple[float, float]
    outside: float
    clutter: tuple[float, float, float]
    clutter_sizes: tuple[float, float]
    occluded: float
    second: float
    absent: float
    blurred: float
    speed: float


LEVELS = {
    "easy": Level((0.6, 0.9), 0.0, (1, 0, 0), (0.2, 0.4), 0.0, 0.0, 0.0, 0.1, 0.6),
    "default": Level((0.5, 0.85), 0.15, (0.6, 0.3, 0.1), (0.25, 0.5), 0.3, 0.1, 0.3, 0.2, 1.0),
    "hard": Level((0.35, 0.75), 0.3, (0.3, 0.4, 0.3), (0.35, 0.7), 0.6, 0.2, 0.6, 0.35, 1.6),
}


class Sprite(NamedTuple):
    """One cut-out in all frames of a shot."""

    file: Path
    flipped: bool
    tint: np.ndarray  # [3] gain of each colour channel
    centres: np.ndarray  # [t, 2] (x, y)
    sizes: np.ndarray  # [t]
    angles: np.ndarray  # [t] radians
    shears: np.ndarray  # [t] sideways, of the height: the sway of a gait
    shadow: float  # darkness of what lies beside it, 0..1
    of_class: bool  # an object of the video's class, not clutter


class Occluder(NamedTuple):
    """A piece of another background, out of focus, that passes before everything."""

    file: Path
    outline: np.ndarray  # [corners] distances from its centre
    centres: np.ndarray  # [t, 2]
    blur: float  # standard deviation, pixels


class Scene(NamedTuple):
    """One shot, ready to be composed."""

    background: Path
    first_frame: float  # of a video, 0..1
    # [t, 4] place of the view (x, y; 0 at the left and top, 1 at the right and bottom) and its size
    # in that of the largest view that fits; angle, radians.
    camera: np.ndarray
    sprites: tuple[Sprite, ...]  # the furthest first
    occluder: Occluder | None
    light: np.ndarray  # [t, 3] gain of each colour channel
    focus: np.ndarray  # [t] standard deviation of the blur, pixels; 0: sharp
    shutter: float  # share of the time between two frames in which it is open
    noise: float  # standard deviation, 0..255


class Which(NamedTuple):
    """Names one shot of a data set."""

    seed: int
    split: str
    class_id: int
    video: int
    shot: int

    def stream(self, use: int) -> np.random.Generator:
        """The random numbers of one use: 0 script, 1 sensor."""
        return np.random.default_rng([*self._video(), 1 + self.shot, use])

    def video_stream(self) -> np.random.Generator:
        """The random numbers that all shots of the video share."""
        return np.random.default_rng([*self._video(), 0, 0])

    def _video(self) -> tuple[int, ...]:
        return self.seed, 1, SPLIT_NAMES.index(self.split), self.class_id, self.video
