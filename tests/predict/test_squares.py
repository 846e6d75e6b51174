"""Frames as the network sees them, and what moves in them, against a direct reading."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tcam_jax.data.optical_flow import grey, motion_map
from tcam_jax.predict.inputs import InputFrame
from tcam_jax.predict.predictor import Predictor
from tcam_jax.predict.squares import room_for_squares, squares_of

SIZE = 48
FILES = Path("a.mp4"), Path("b.png"), Path("c.mp4")


def video(count, speed):
    """A textured patch that goes right over a texture that stays, `[count, 60, 80, 3]`."""
    rng = np.random.default_rng(speed)
    ground, patch = (rng.integers(0, 256, (*size, 3), np.uint8) for size in ((15, 20), (6, 6)))
    frames = np.repeat(np.kron(ground, np.ones((4, 4, 1), np.uint8))[None], count, 0)
    for number, frame in enumerate(frames):
        left = 10 + speed * number
        frame[20:44, left : left + 24] = np.kron(patch, np.ones((4, 4, 1), np.uint8))
    return frames


@pytest.fixture(scope="module")
def frames():
    shown = [(FILES[0], video(5, 3)), (FILES[1], video(1, 0)), (FILES[2], video(3, 4))]
    return [
        InputFrame(file, number, None, image)
        for file, images in shown
        for number, image in enumerate(images)
    ]


def square(frame):
    return np.asarray(Image.fromarray(frame.image).resize((SIZE, SIZE), Image.Resampling.BILINEAR))


def motion(frames, frame):
    """Against those up to two before and after it in its file."""
    others = [
        grey(square(other))
        for away in (-2, -1, 1, 2)
        for other in frames
        if (other.file, other.frame) == (frame.file, frame.frame + away)
    ]
    return motion_map(grey(square(frame)), others)


def test_a_file_that_is_read_again_begins_anew(frames):
    once = [one[1:] for one in squares_of(iter(frames[:5]), SIZE, motion=True)]
    twice = [one[1:] for one in squares_of(iter(2 * frames[:5]), SIZE, motion=True)]
    for seen, before in zip(twice, 2 * once, strict=True):
        np.testing.assert_array_equal(seen[1], before[1])


def test_frames_are_seen_against_those_near_them_in_their_file(frames):
    seen = list(squares_of(iter(frames), SIZE, motion=True))
    assert [one[0] for one in seen] == frames
    for frame, pixels, moving in seen:
        np.testing.assert_array_equal(pixels, square(frame))
        np.testing.assert_array_equal(moving, motion(frames, frame))
        assert (moving.max() > 0.9) == (frame.file != FILES[1]), "an image has no neighbours"


def test_without_motion_there_are_squares_alone(frames):
    for frame, (same, pixels) in zip(
        frames, squares_of(iter(frames), SIZE, motion=False), strict=True
    ):
        assert same is frame
        np.testing.assert_array_equal(pixels, square(frame))
    assert [rows.shape for rows in room_for_squares(2, SIZE, motion=False)] == [(2, SIZE, SIZE, 3)]


@pytest.mark.parametrize("moving", [False, True])
def test_an_error_comes_after_all_frames_before_it(frames, moving):
    def broken():
        yield from frames[:4]
        raise OSError("gone")

    seen = squares_of(broken(), SIZE, moving)
    assert [next(seen)[0].frame for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(OSError, match="gone"):
        next(seen)


@pytest.mark.parametrize("count", [2, 5])  # one by one, and padded to a batch
def test_a_predictor_that_sees_motion_is_given_it(frames, count):
    given = []

    def forward(pixels, moving):
        given.extend(moving)
        return np.zeros((len(pixels), 2)), pixels[..., 0]

    network = Predictor(forward, ("a", "b"), SIZE, 0.5, sees_motion=True, batch_size=4)
    shown = frames[:count]
    predictions = network.predict([frame.image for frame in shown])
    assert len(predictions) == count
    for moving, frame in zip(given, shown, strict=False):
        np.testing.assert_array_equal(moving, motion(shown, frame))
