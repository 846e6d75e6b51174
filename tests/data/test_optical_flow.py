"""Flow and motion of made scenes, of which it is known what moves."""

import cv2
import numpy as np
import pytest

from tcam_jax.data.optical_flow import (
    FLOW_STRIDE,
    grey,
    motion_map,
    optical_flow,
    own_motion,
    window_flow,
)

SIZE = 96


def scene(pan=(0, 0), thing=None):
    """A textured frame; the camera's `pan` (down, right) moves all, `thing` (y, x) lies on it."""
    rng = np.random.default_rng(0)
    canvas = cv2.resize(rng.integers(0, 256, (50, 50, 3), np.uint8), None, fx=3, fy=3)
    top, left = 20 - pan[0], 20 - pan[1]
    frame = canvas[top : top + SIZE, left : left + SIZE].copy()
    if thing is not None:
        y, x = thing
        frame[y : y + 40, x : x + 40] = cv2.resize(
            rng.integers(0, 256, (10, 10, 3), np.uint8), None, fx=4, fy=4
        )
    return frame


INSIDE = (slice(12, -12), slice(12, -12))


def test_the_flow_says_where_things_went():
    flow = optical_flow(grey(scene()), grey(scene(pan=(3, -5))))
    np.testing.assert_allclose(np.median(flow[INSIDE], axis=(0, 1)), [-5, 3], atol=0.1)


def test_the_cameras_motion_is_left_out():
    now, other = scene(thing=(30, 30)), scene(pan=(1, -1), thing=(32, 33))
    found = own_motion(optical_flow(grey(now), grey(other)))
    # The thing went (2, 3), the background (1, -1).
    assert np.median(found.pixels[34:66, 34:66]) == pytest.approx(np.hypot(1, 4), abs=0.3)
    assert np.median(found.pixels[78:-6, 6:-6]) < 0.2
    assert not found.known[:, :4].any(), "what leaves the frame is not looked for"


def test_the_motion_map_shows_the_thing_alone():
    now = grey(scene(thing=(30, 30)))
    seen = motion_map(now, [grey(scene(pan=(1, -1), thing=(32, 33)))])
    assert seen.shape == (SIZE // FLOW_STRIDE,) * 2 and seen.dtype == np.float32
    assert seen.min() >= 0 and seen.max() <= 1
    assert np.median(seen[9:16, 9:16]) > 0.8 and np.median(seen[20:, 2:-2]) < 0.1


@pytest.mark.parametrize("others", [[], [scene()], [scene(pan=(2, 1))]])
def test_without_motion_of_things_the_map_is_nearly_nothing(others):
    assert motion_map(grey(scene()), [grey(other) for other in others]).max() < 0.6


def test_the_flow_of_windows_is_in_shares_of_the_frame():
    frames = np.stack([scene(pan=(4, -8)), scene(), scene(pan=(4, -8))])
    windows = np.stack([frames, frames])
    valid = np.array([[True, True, True], [False, True, True]])
    flow = window_flow(windows, valid, target=1)
    assert flow.shape == (2, 3, 24, 24, 2) and flow.dtype == np.float32
    assert not flow[:, 1].any() and not flow[1, 0].any()
    for moved in (flow[0, 0], flow[0, 2], flow[1, 2]):
        middle = np.median(moved[4:-4, 4:-4], axis=(0, 1))
        np.testing.assert_allclose(middle * SIZE, [4, -8], atol=0.15)


@pytest.mark.parametrize("size", [24, 48, 64, 80, 112, 160, 320])
def test_frames_of_different_scenes_are_told_at_every_size(size):
    rng = np.random.default_rng(size)
    grounds = [
        cv2.resize(
            rng.integers(0, 256, (24, 24), np.uint8), (512, 512), interpolation=cv2.INTER_CUBIC
        )
        for _ in range(4)
    ]

    def seen(ground, by):
        whole = np.roll(grounds[ground], (by, 2 * by), (0, 1))
        whole[200:360, 200:360] = np.roll(grounds[ground - 1], -4 * by, 0)[:160, :160]
        return cv2.resize(whole, (size, size), interpolation=cv2.INTER_AREA)

    for ground in range(4):
        now, near = seen(ground, 0), seen(ground, 3)
        for other in {0, 1, 2, 3} - {ground}:
            assert not motion_map(now, [seen(other, 0)]).any()
        assert motion_map(now, [near]).max() > 0.5
    assert motion_map(now, [near]).shape == (-(-size // FLOW_STRIDE),) * 2


def test_between_different_scenes_no_motion_is_known():
    rng = np.random.default_rng(5)
    now, other = (cv2.resize(rng.integers(0, 256, (32, 32), np.uint8), (192, 192)) for _ in "12")
    near = np.roll(now, (1, 2), (0, 1))
    near[60:130, 60:130] = now[62:132, 57:127]
    assert own_motion(optical_flow(now, other)) is None
    assert not motion_map(now, [other]).any()
    np.testing.assert_array_equal(motion_map(now, [near, other]), motion_map(now, [near]))
    assert motion_map(now, [near]).any()
