import cv2
import numpy as np
import pytest

from tcam_jax.evaluate.corloc import iou
from tcam_jax.evaluate.motion import motion_boxes
from tcam_jax.evaluate.small_frame import enlarge, shrink


def textures(seed=0):
    """A background larger than the frame, and a thing of 60 x 44 pixels with a texture too."""
    rng = np.random.default_rng(seed)
    coarse = [rng.integers(0, 256, (*size, 3), np.uint8) for size in ((50, 70), (11, 15))]
    return [cv2.resize(small, None, fx=4, fy=4) for small in coarse]


def shot(step, pan, frames=9, noise=0.0):
    """Frames of 200 x 150; the thing moves by `step`, the background by `pan` pixels a frame."""
    canvas, thing = textures()
    rng = np.random.default_rng(1)
    seen, boxes = [], []
    for number in range(frames):
        shift = np.array([[1, 0, -30 - pan[0] * number], [0, 1, -20 - pan[1] * number]], np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        shift[:, 2] *= -1
        frame = cv2.warpAffine(canvas, shift, (200, 150), flags=flags)
        x, y = (round(start + by * number) for start, by in zip((60, 50), step, strict=True))
        frame[y : y + 44, x : x + 60] = thing
        frame = frame + noise * rng.standard_normal(frame.shape)
        seen.append(np.clip(frame, 0, 255).astype(np.uint8))
        boxes.append(np.array([[x, y, x + 59, y + 43]]))
    return seen, boxes


def neighbours_in(frames, number):
    def neighbours(distance):
        near = (number - distance, number + distance)
        return [frames[other] for other in near if 0 <= other < len(frames)]

    return neighbours


@pytest.mark.parametrize("number", [0, 4, 8])
@pytest.mark.parametrize("pan", [(0, 0), (-3, 1.5)])
def test_what_moves_is_found_before_a_background_that_the_camera_pans_over(number, pan):
    frames, boxes = shot(step=(4, -2), pan=pan)
    found = motion_boxes(frames[number], neighbours_in(frames, number))
    assert found.shape == (1, 4) and found.dtype == np.float32
    assert iou(found, boxes[number]).max() >= 0.6


def test_frames_of_a_shot_may_differ_in_size():
    frames, boxes = shot(step=(4, -2), pan=(-3, 1.5))
    frames[3] = cv2.resize(frames[3], (100, 75))
    frames[5] = cv2.resize(frames[5], (201, 150))
    found = motion_boxes(frames[4], neighbours_in(frames, 4))
    assert iou(found, boxes[4]).max() >= 0.6
    frames[2:4] = [np.ascontiguousarray(frame.swapaxes(0, 1)) for frame in frames[2:4]]
    motion_boxes(frames[4], neighbours_in(frames, 4))


def test_a_zooming_and_turning_camera_is_no_motion_but_a_thing_is():
    canvas, thing = textures()
    frames = []
    for number in range(3):
        camera = cv2.getRotationMatrix2D((140, 100), 2.0 * number, 1 + 0.03 * number)
        frame = cv2.warpAffine(canvas, camera, (280, 200))[25:175, 40:240]
        frames.append(frame.copy())
    assert not len(motion_boxes(frames[1], neighbours_in(frames, 1)))
    for number, frame in enumerate(frames):
        frame[50:94, 60 + 5 * number : 120 + 5 * number] = thing
    found = motion_boxes(frames[1], neighbours_in(frames, 1))
    assert iou(found, np.array([[65, 50, 124, 93]])).max() >= 0.6


def test_slow_things_are_found_against_farther_frames():
    frames, boxes = shot(step=(0, 0.5), pan=(0, 0))
    assert not len(motion_boxes(frames[4], lambda d: neighbours_in(frames, 4)(d) if d == 1 else []))
    found = motion_boxes(frames[4], neighbours_in(frames, 4))
    assert iou(found, boxes[4]).max() >= 0.6


@pytest.mark.parametrize("noise", [0.0, 6.0])
@pytest.mark.parametrize("pan", [(0, 0), (3, 1)])
def test_where_nothing_moves_there_is_no_box(pan, noise):
    frames, _ = shot(step=(-pan[0], -pan[1]), pan=pan, noise=noise)  # the thing is the scene's
    assert motion_boxes(frames[4], neighbours_in(frames, 4)).shape == (0, 4)


def test_a_shot_of_one_frame_and_a_blank_one_have_no_box():
    frames, _ = shot(step=(4, 0), pan=(0, 0), frames=1)
    assert motion_boxes(frames[0], neighbours_in(frames, 0)).shape == (0, 4)
    blank = np.full((90, 120, 3), 128, np.uint8)
    assert motion_boxes(blank, lambda _: [blank, blank]).shape == (0, 4)


def test_boxes_of_small_frames_keep_their_edges():
    frame = np.zeros((720, 1280, 3), np.uint8)
    small = shrink(frame, 256)
    assert small.shape == (144, 256, 3)
    np.testing.assert_allclose(
        enlarge(np.array([0, 0, 255, 143]), small, frame), [[0, 0, 1279, 719]]
    )
    np.testing.assert_allclose(enlarge(np.array([1, 2, 1, 2]), small, frame), [[5, 10, 9, 14]])
    assert shrink(np.zeros((30, 20, 3), np.uint8), 60).shape == (60, 40, 3)
