"""Frames as the network sees them: squares, and where things move in them."""

from collections.abc import Iterator
from operator import itemgetter

import numpy as np
from PIL import Image

from tcam_jax.data.optical_flow import MOTION_DISTANCES, flow_side, grey, motion_map
from tcam_jax.predict.inputs import InputFrame
from tcam_jax.predict.neighbours import readings, with_neighbours

_REACH = max(MOTION_DISTANCES)


def squares_of(
    frames: Iterator[InputFrame], size: int, motion: bool
) -> Iterator[tuple[InputFrame, *tuple[np.ndarray, ...]]]:
    """Yield each frame, itself as a square, uint8 `[size, size, 3]`, and what moves in it.

    Args:
      frames: an error of theirs is raised after all frames before it.
      size: pixels.
      motion: give float32 `[g, g]` too, see `data.optical_flow.motion_map`, seen against the frames
        near it in its file.
    """
    squares = ((frame, square_of(Image.fromarray(frame.image), size)) for frame in frames)
    if not motion:
        yield from squares
        return
    for of_file in readings(squares, itemgetter(0)):
        greys = ((frame, square, grey(square)) for frame, square in of_file)
        for near in with_neighbours(greys, _REACH):
            centre = near[_REACH]
            assert centre is not None
            frame, square, now = centre
            others = [near[_REACH + away] for away in MOTION_DISTANCES]
            moving = motion_map(now, [other[-1] for other in others if other is not None])
            yield frame, square, moving


def room_for_squares(count: int, size: int, motion: bool) -> tuple[np.ndarray, ...]:
    """Return room for a batch of what `squares_of` makes of frames, all zero."""
    squares = np.zeros((count, size, size, 3), np.uint8)
    if not motion:
        return (squares,)
    return squares, np.zeros((count, flow_side(size), flow_side(size)), np.float32)


def square_of(frame: Image.Image, size: int) -> np.ndarray:
    """Return a frame as a square, without keeping its aspect."""
    return np.asarray(frame.resize((size, size), Image.Resampling.BILINEAR))
