"""Damaged video files: what is there is read, and what is wrong is said, and where."""

import re

import av
import numpy as np
import pytest

from tcam_jax.data.video import promised_frames
from tests.data.made_videos import blank, read, write
from tests.runtime.test_plain_files import pipe, sparse

STEADY = [i / 25 for i in range(40)]
FORMATS = [
    ("a.webm", "libvpx-vp9", {}),
    ("a.mkv", "mpeg4", {}),
    ("a.mkv", "mpeg4", {"live": "1"}),
    ("a.avi", "mpeg4", {}),
    ("a.mp4", "mpeg4", {"movflags": "faststart", "noise": True}),
    ("a.mp4", "mpeg4", {"movflags": "frag_keyframe+empty_moov", "noise": True}),
    ("a.flv", "flv", {"noise": True}),
    ("a.flv", "flv", {}),
    ("a.wmv", "wmv2", {}),
]


@pytest.mark.parametrize("name", ["a.mp4", "a.h264", "a.mjpeg", "a.ts"])
def test_what_is_no_file_or_was_never_written_is_not_read(tmp_path, name):
    for make, words in (
        (pipe, "it is a named pipe"),
        (sparse, r"1\.0 TB of its 1\.0 TB were never"),
    ):
        video = make(tmp_path / name)
        frames, fault = read(video)
        assert frames == [] and re.match(words, fault) and promised_frames(video) is None
        video.unlink()


def test_a_hole_behind_what_was_written_is_not_read(tmp_path):
    """FFmpeg keeps all of it in memory where the format has no lengths."""
    video = write(tmp_path / "a.m2v", STEADY[:10], codec="mpeg2video")
    sparse(video, video.read_bytes(), size=10**9)
    frames, fault = read(video)
    assert frames == [] and fault.startswith("1.0 GB of its 1.0 GB were never written: copy or")


def test_frames_beyond_all_sizes_are_refused(tmp_path, monkeypatch):
    video = write(tmp_path / "a.avi", STEADY[:3])
    monkeypatch.setattr("tcam_jax.data.video._MOST_PIXELS", 64 * 48 - 1)
    assert read(video) == ([], "its frames of 64 x 48 pixels are too large: scale it down")


@pytest.mark.parametrize("filled", [False, True], ids=["cut", "zeros"])
@pytest.mark.parametrize(("name", "codec", "options"), FORMATS)
def test_half_a_file_gives_what_it_has_and_says_so(tmp_path, name, codec, options, filled):
    # Zeros: downloads that take their place on the disk first.
    video = write(tmp_path / name, STEADY, codec=codec, sound=1.6, **options)
    content = video.read_bytes()
    half = content[: len(content) // 2]
    video.write_bytes(half + bytes(len(content) - len(half)) if filled else half)
    frames, fault = read(video)
    assert 2 < len(frames) <= 40 and fault
    assert [frame.index for frame in frames] == list(range(len(frames)))


def test_a_file_that_breaks_off_says_after_what_time(tmp_path):
    video = write(tmp_path / "a.webm", STEADY, codec="libvpx-vp9", noise=True)
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    frames, fault = read(video)
    after, of = map(
        float, re.fullmatch(r"it breaks off after (.*) of about (.*) s", fault).groups()
    )
    assert after == pytest.approx(len(frames) / 25, abs=0.011) and of == pytest.approx(
        1.6, abs=0.05
    )


@pytest.mark.parametrize(
    ("name", "codec", "heads"),
    [
        ("a.mp4", "mpeg4", False),  # has no heads
        ("a.mkv", "libx264", False),
        ("a.webm", "libvpx-vp9", False),
        ("a.avi", "mjpeg", False),
        ("a.avi", "libx264", False),
        ("a.mkv", "mpeg2video", False),
        ("a.mkv", "libx264", True),
        ("a.webm", "libvpx-vp9", True),
        ("a.avi", "mjpeg", True),
        ("a.avi", "libx264", True),
    ],
)
def test_frames_after_damage_keep_their_numbers_and_times(tmp_path, name, codec, heads):
    options = {"pix_fmt": "yuvj420p"} if codec == "mjpeg" else {}
    # Clusters of Matroska are where a reader finds its way again.
    options |= {"cluster_time_limit": "200"} if name[-3:] in ("mkv", "ebm") else {}
    video = write(tmp_path / name, STEADY, codec=codec, noise=True, **options)
    whole = {frame.index: frame.seconds for frame in read(video)[0]}
    frames, fault = read(blank(video, 20, 21, heads))
    numbers = [frame.index for frame in frames]
    assert numbers[:20] == list(range(20)) and numbers[-10:] == list(range(30, 40))
    for frame in frames:
        assert frame.seconds == pytest.approx(whole[frame.index], abs=0.001)
    assert {20, 21}.isdisjoint(numbers)
    missing = numbers[20] - 20
    assert fault.startswith(f"{missing} frames missing from number 20 on (0.8")
    assert "breaks off" not in fault


@pytest.mark.parametrize("damage", ["none", "half"])
def test_an_animated_gif(tmp_path, damage):
    video = write(tmp_path / "a.gif", [0.0, 0.1, 0.5, 0.6], codec="gif", pix_fmt="rgb8")
    if damage == "half":
        video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    frames, fault = read(video)
    np.testing.assert_allclose([f.seconds for f in frames], [0.0, 0.1, 0.5, 0.6][: len(frames)])
    assert (len(frames), fault) == (4, "") if damage == "none" else "breaks off" in fault


def test_a_codec_of_one_rate_shows_by_its_times_what_is_missing(tmp_path):
    # In a transport stream pictures are found by their beginnings: zeros belong to the one before.
    video = write(tmp_path / "a.ts", STEADY, codec="mpeg2video", noise=True)
    content, packets = bytearray(video.read_bytes()), []
    with av.open(str(video)) as container:
        packets = [packet.pos for packet in container.demux(video=0)]
    content[packets[20] : packets[22]] = bytes(packets[22] - packets[20])
    video.write_bytes(content)
    frames, fault = read(video)
    numbers = [frame.index for frame in frames]
    assert numbers == [*range(20), *range(22, 40)] and "2 frames missing from number 20" in fault
    np.testing.assert_allclose([f.seconds for f in frames], np.array(numbers) / 25, atol=1e-3)


def test_pictures_that_are_damaged_in_part_are_counted(tmp_path):
    video = write(tmp_path / "a.mkv", STEADY, codec="mpeg4", size=(64, 96), noise=True)
    with av.open(str(video)) as container:
        packet = [bytes(packet) for packet in container.demux(video=0)][20]
    content = bytearray(video.read_bytes())
    place = content.index(packet) + len(packet) // 2
    content[place : place + len(packet) // 4] = bytes(len(packet) // 4)
    video.write_bytes(content)
    frames, fault = read(video)
    assert len(frames) == 40 and fault == "1 frame damaged, the first is number 20 (0.80 s)"


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
        assert promised_frames(tmp_path / name) is None
    assert promised_frames(sound) is None
    foreign = write(tmp_path / "foreign.avi", [0.0])
    foreign.write_bytes(foreign.read_bytes().replace(b"FMP4", b"?!?!"))
    assert read(foreign) == ([], "its codec is not known here")
