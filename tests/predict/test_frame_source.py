"""Images and videos in any mixture, some of them damaged."""

import av
import numpy as np
import pytest
from PIL import Image

from tcam_jax.predict.frame_source import find_files, read_frames
from tcam_jax.runtime.errors import InputError
from tests.data.test_video import write


def read(path, stride=1):
    faults = {}
    return list(read_frames(path, stride, faults.__setitem__)), faults


def test_files_of_a_folder_at_any_depth_in_order(tmp_path):
    (tmp_path / "b" / "c").mkdir(parents=True)
    for name in ("b/c/z.PNG", "a.jpg", "b/film.MP4", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder.jpg").mkdir()
    found = find_files(tmp_path)
    assert [str(p.relative_to(tmp_path)) for p in found] == ["a.jpg", "b/c/z.PNG", "b/film.MP4"]
    assert find_files(tmp_path / "notes.txt") == [tmp_path / "notes.txt"]


@pytest.mark.parametrize("name", ["missing.jpg", "empty"])
def test_nothing_to_read_is_said(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"must be an image, a video, or a folder.*\.webm"):
        find_files(tmp_path / name)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
def test_images_of_every_mode_are_rgb(tmp_path, mode):
    name = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    Image.new(mode, (7, 5)).save(name)
    ((index, seconds, image),), faults = read(name)
    assert (index, seconds, image.shape, image.dtype) == (0, None, (5, 7, 3), np.uint8)
    assert faults == {}


def test_a_telephones_picture_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # stored turned by 90 degrees
    Image.new("RGB", (40, 20)).save(tmp_path / "a.jpg", exif=exif)
    ((*_, image),), _ = read(tmp_path / "a.jpg")
    assert image.shape == (40, 20, 3)


def test_every_third_frame_of_a_video(tmp_path):
    frames, faults = read(write(tmp_path / "a.mp4", [i / 25 for i in range(10)]), stride=3)
    assert faults == {} and [frame.index for frame in frames] == [0, 3, 6, 9]
    np.testing.assert_allclose([frame.seconds for frame in frames], [0, 0.12, 0.24, 0.36])
    np.testing.assert_allclose([f.image.mean() for f in frames], [0, 30, 60, 90], atol=3)


def test_what_is_damaged_gives_what_it_has_and_its_reason(tmp_path):
    whole = write(tmp_path / "whole.avi", [i / 25 for i in range(50)])
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 3])
    frames, faults = read(cut)
    assert 10 < len(frames) < 50 and list(faults) == [cut]

    sound = tmp_path / "sound.mkv"
    with av.open(str(sound), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), layout="mono")
        samples.rate = 8000
        container.mux(stream.encode(samples))
    for name, content in (("empty.mp4", b""), ("empty.png", b""), ("text.jpg", b"no image")):
        (tmp_path / name).write_bytes(content)
    half = tmp_path / "half.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(half)
    half.write_bytes(half.read_bytes()[:900])
    for name in ("sound.mkv", "empty.mp4", "empty.png", "text.jpg", "half.jpg"):
        frames, faults = read(tmp_path / name)
        assert frames == [] and list(faults) == [tmp_path / name]
    assert read(sound)[1] == {sound: "it holds no pictures"}
