"""A camera, played by a video file: OpenCV reads both alike."""

from itertools import islice

import cv2
import pytest

from tcam_jax.predict import camera
from tcam_jax.predict.inputs import frames_of
from tcam_jax.runtime.errors import InputError
from tests.data.test_video import write


@pytest.fixture
def camera_of_three_frames(tmp_path, monkeypatch):
    film = write(tmp_path / "film.avi", [0, 0.04, 0.08], codec="ffv1")
    real = cv2.VideoCapture
    opened = []

    def open_camera(number):
        opened.append(real(str(film) if number == 7 else str(tmp_path / "none.avi")))
        return opened[-1]

    monkeypatch.setattr(camera.cv2, "VideoCapture", open_camera)
    return opened


def test_frames_come_until_the_caller_stops(camera_of_three_frames):
    frames = frames_of("camera:7")
    found = list(islice(frames, 2))
    assert [(str(f.file), f.frame, f.image.shape) for f in found] == [
        ("camera:7", i, (48, 64, 3)) for i in range(2)
    ]
    assert found[0].time == 0 and 0 < found[1].time < 5
    assert abs(int(found[1].image.mean()) - 10) < 3
    (capture,) = camera_of_three_frames
    assert capture.isOpened()
    frames.close()
    assert not capture.isOpened()


def test_a_camera_that_stops_or_is_not_there_names_the_argument(camera_of_three_frames):
    frames = frames_of("camera:7")
    assert [frame.frame for frame in islice(frames, 3)] == [0, 1, 2]
    with pytest.raises(InputError, match=r"^frames: camera:7 gives no more frames after 3\.$"):
        next(frames)
    with pytest.raises(InputError, match=r"^frames: camera:12 cannot be opened: there is no such"):
        list(frames_of("camera:12"))


def test_a_machine_without_cameras_says_so_and_nothing_else(capfd):
    with pytest.raises(InputError, match=r"^frames: camera:99 cannot be opened"):
        list(frames_of("camera:99"))
    assert capfd.readouterr() == ("", "")


def test_a_file_of_that_name_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "camera:0").write_bytes(b"no image")
    with pytest.raises(InputError, match="no frame of camera:0 can be read: cannot be read as an"):
        list(frames_of("camera:0"))
    assert camera.camera_number("camera:x") is None is camera.camera_number("camera:")
