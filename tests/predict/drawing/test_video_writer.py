"""Overlay videos, read back by FFmpeg."""

import errno
import os

import av
import numpy as np
import pytest

from tcam_jax.data.video import read_video
from tcam_jax.predict.drawing.video_writer import VideoWriter
from tcam_jax.runtime.errors import InputError


def pictures(count, size):
    return [np.full((*size, 3), 20 * i % 250, np.uint8) for i in range(count)]


@pytest.mark.parametrize("size", [(48, 64), (37, 51), (1, 1)])
def test_pictures_come_back_at_their_times(tmp_path, size):
    times = [0.0, 0.04, 0.3, 0.35, 1.2, 1.25, 1.25]  # a variable rate, and one time twice
    with VideoWriter(tmp_path / "a.mp4") as video:
        for picture, seconds in zip(pictures(7, size), times, strict=True):
            video.write(picture, seconds)
    found = list(read_video(tmp_path / "a.mp4"))
    np.testing.assert_allclose([f.seconds for f in found], times, atol=1e-4)
    assert {f.image.shape for f in found} == {(size[0] + size[0] % 2, size[1] + size[1] % 2, 3)}
    greys = [f.image.mean() for f in found]
    np.testing.assert_allclose(greys, [20 * i for i in range(7)], atol=4)
    assert os.listdir(tmp_path) == ["a.mp4"]


@pytest.mark.parametrize("size", [(96, 128), (720, 1280)])  # players guess differently for these
def test_colours_come_back(tmp_path, size):
    height, width = size
    rng = np.random.default_rng(0)
    patches = rng.integers(0, 256, (3, 4, 3), np.uint8)
    picture = patches.repeat(height // 3, axis=0).repeat(width // 4, axis=1)
    with VideoWriter(tmp_path / "a.mp4") as video:
        video.write(picture, 0.0)
    (frame,) = read_video(tmp_path / "a.mp4")
    inside = slice(height // 6, None, height // 3), slice(width // 8, None, width // 4)
    found = np.asarray(frame.image)[inside]
    assert np.abs(found.astype(int) - patches).max() <= 3
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0].codec_context
        tags = stream.colorspace, stream.color_range, stream.color_primaries, stream.color_trc
    assert stream.pix_fmt == "yuv420p" and tags == (6, 1, 1, 1)  # BT.601, 16..235, BT.709 twice
    content = (tmp_path / "a.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")  # can be shown while it is loaded


def test_one_picture_and_none(tmp_path):
    with VideoWriter(tmp_path / "a.mp4") as video:
        video.write(pictures(1, (48, 64))[0], 3.0)
    assert len(list(read_video(tmp_path / "a.mp4"))) == 1
    with VideoWriter(tmp_path / "b.mp4"):
        pass
    assert not (tmp_path / "b.mp4").exists()


def test_a_frame_of_another_size_is_brought_to_the_first_ones(tmp_path):
    with VideoWriter(tmp_path / "a.mp4") as video:
        video.write(pictures(1, (48, 64))[0], 0.0)
        video.write(pictures(2, (96, 64))[1], 1.0)
    assert [f.image.shape for f in read_video(tmp_path / "a.mp4")] == [(48, 64, 3)] * 2


def test_nothing_is_left_of_a_video_that_broke_off(tmp_path):
    with pytest.raises(RuntimeError), VideoWriter(tmp_path / "a.mp4") as video:
        video.write(pictures(1, (48, 64))[0], 0.0)
        raise RuntimeError
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_one_clear_error(tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    (tmp_path / ".a.mp4.tmp").symlink_to("/dev/full")
    reason = os.strerror(errno.ENOSPC)
    rng = np.random.default_rng(0)
    with (
        pytest.raises(InputError, match=rf"a\.mp4 cannot be written \({reason}\)"),
        VideoWriter(tmp_path / "a.mp4") as video,
    ):
        for i in range(200):
            video.write(rng.integers(0, 256, (96, 128, 3), np.uint8), i / 25)
    assert not (tmp_path / "a.mp4").exists()
