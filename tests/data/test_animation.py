"""Images that move are videos, whatever their format; still ones are not."""

import av
import numpy as np
import pytest
from PIL import Image

from tcam_jax.data.animation import is_video, read_film
from tcam_jax.data.video import SUFFIXES, BadVideo
from tests.data.test_video import write

MOVING = {".gif": {}, ".png": {}, ".apng": {}, ".webp": {"lossless": True}, ".avif": {}}


def animate(path, levels=(40, 80, 120, 160), **options):
    """An animation of frames of one grey each, (0.04, 0, 0.08, 0.1) seconds long."""
    first, *others = [Image.new("RGB", (20, 16), (level, level, level)) for level in levels]
    options = {"duration": [40, 0, 80, 100], "save_all": True} | options
    kind = "PNG" if path.suffix == ".apng" else None
    first.save(path, kind, append_images=others, **MOVING[path.suffix.lower()], **options)
    return path


@pytest.mark.parametrize("suffix", MOVING)
def test_its_frames_come_with_their_times(tmp_path, suffix):
    # Pillow's AVIF encoder takes no frame of no length.
    durations = [40, 100, 80, 100] if suffix == ".avif" else [40, 0, 80, 100]
    path = animate(tmp_path / f"a{suffix}", duration=durations)
    assert is_video(path)
    frames = list(read_film(path))
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    np.testing.assert_allclose([f.seconds for f in frames], [0, 0.04, 0.14, 0.22])
    np.testing.assert_allclose([f.duration for f in frames], [0.04, 0.1, 0.08, 0.1])
    greys = [frame.image.mean() for frame in frames]
    np.testing.assert_allclose(greys, [40, 80, 120, 160], atol=2)
    assert all(frame.image.shape == (16, 20, 3) for frame in frames)
    every_third = list(read_film(path, 3))
    assert [(f.index, f.seconds) for f in every_third] == [(0, 0.0), (3, pytest.approx(0.22))]


@pytest.mark.parametrize("suffix", MOVING)
def test_a_still_one_and_a_damaged_one_are_no_videos(tmp_path, suffix):
    path = tmp_path / f"a{suffix.upper()}"
    Image.new("RGB", (20, 16)).save(path, "PNG" if suffix == ".apng" else None)
    assert not is_video(path)
    path.write_bytes(b"no image")
    assert not is_video(path)
    assert not is_video(tmp_path / f"missing{suffix}")


@pytest.mark.parametrize("part", [0.35, 0.5, 0.99])
@pytest.mark.parametrize("suffix", [".gif", ".png"])
def test_half_an_animation_gives_what_it_has_and_says_so(tmp_path, suffix, part):
    noise = np.random.default_rng(0).integers(0, 256, (6, 40, 40, 3), np.uint8)
    first, *others = map(Image.fromarray, noise)
    path = tmp_path / f"a{suffix}"
    first.save(path, save_all=True, append_images=others, duration=40)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    film, frames = read_film(path), []
    with pytest.raises(BadVideo, match="damaged|breaks off"):
        while True:
            frames.append(next(film))
    assert 1 < len(frames) < 6 and is_video(path)


def test_the_picture_for_those_who_cannot_show_what_moves_is_no_frame(tmp_path):
    path = animate(tmp_path / "a.png", duration=40, default_image=True)
    assert [np.asarray(f.image)[0, 0, 0] for f in read_film(path)] == [80, 120, 160]


# What PyAV can write here; .ogv, .dav and others are read alone.
CONTAINERS = {
    **dict.fromkeys((".m2ts", ".mts", ".ts", ".3gp", ".qt", ".divx"), "mpeg4"),
    **dict.fromkeys((".wmv", ".asf"), "wmv2"),
    **dict.fromkeys((".mpg", ".mpe"), "mpeg1video"),
    **dict.fromkeys((".vob", ".mod", ".m2v", ".mxf"), "mpeg2video"),
    **{".rm": "rv20", ".flv": "flv", ".f4v": "libx264", ".y4m": "rawvideo", ".mjpeg": "mjpeg"},
}
FORMATS = {".qt": "mov", ".divx": "avi", ".mpe": "mpeg", ".mod": "mpeg", ".wmv": "asf"}
FORMATS |= {".ts": "mpegts", ".mts": "mpegts", ".m2ts": "mpegts"}


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_videos_as_cameras_and_people_have_them(tmp_path, suffix):
    assert suffix in SUFFIXES
    path = tmp_path / f"a{suffix.upper()}"
    codec = CONTAINERS[suffix]
    noise = np.random.default_rng(0).integers(0, 256, (10, 144, 176, 3), np.uint8)
    with av.open(str(path), "w", format=FORMATS.get(suffix)) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 176, 144, "yuv420p"
        if codec == "mjpeg":
            stream.pix_fmt = "yuvj420p"
        for image in noise:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    assert is_video(path)
    assert len(list(read_film(path))) == 10


def test_a_video_is_known_by_its_suffix_alone(tmp_path):
    (tmp_path / "a.MTS").write_bytes(b"")
    assert is_video(tmp_path / "a.MTS") and not is_video(tmp_path / "a.txt")
    frames = read_film(write(tmp_path / "a.avi", [0, 0.04, 0.08]), 2)
    assert [frame.index for frame in frames] == [0, 2]
