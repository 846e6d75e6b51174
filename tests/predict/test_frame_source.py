"""Images and videos in any mixture, some of them damaged."""

import re
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tcam_jax.data.folder_walk import in_words
from tcam_jax.predict.frame_source import SUFFIXES, find_files, read_frames
from tcam_jax.runtime.errors import InputError
from tests.data.test_animation import animate
from tests.data.test_folder_walk import make
from tests.data.test_video import write


def read(path, stride=1):
    faults = {}
    return list(read_frames(path, stride, faults.__setitem__)), faults


def test_files_of_a_folder_at_any_depth_in_order_and_what_was_left_out(tmp_path):
    names = ["a.jpg", "b/c/z.PNG", "b/film2.MTS", "b/film10.wmv", "b/g.MP4", "b/p.tif", "q.HEIC"]
    left = ["._a.jpg", ".old/x.jpg", "@eaDir/a.jpg/SYNO.jpg", "b/notes.txt", "b/x.pdf", "c.TXT"]
    make(tmp_path, *names, *left)
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "again").symlink_to("b")
    found, left_out = find_files(tmp_path)
    assert [str(p.relative_to(tmp_path)) for p in found] == names
    assert in_words(left_out, tmp_path) == (
        "left out: neither images nor videos: 3 (.txt 2, .pdf 1); hidden: 1 (.old); of systems and "
        f"tools: 2 (._a.jpg, @eaDir); links to what is there already: 1 (again: to {tmp_path}/b)"
    )
    assert find_files(tmp_path / "b/notes.txt") == ([tmp_path / "b/notes.txt"], [])
    assert find_files(tmp_path / ".old").files == [tmp_path / ".old/x.jpg"]  # its user means it


def test_the_manual_lists_what_is_read():
    page = (Path(__file__).parents[2] / "docs/your_videos.md").read_text()
    table = page[page.index("### Files that are read") :].split("- **")[0]
    assert re.findall(r"(?<=[` ])\.\w+", table) == [*SUFFIXES]


@pytest.mark.parametrize("name", ["missing.jpg", "empty", "others"])
def test_nothing_to_read_is_said(tmp_path, name):
    (tmp_path / "empty").mkdir()
    make(tmp_path / "others", "a.txt")
    instead = "left out: neither.*.txt 1" if name == "others" else "there is nothing"
    words = rf"must be an image, a video, or a folder.*\.webm.*none was found: {instead}"
    with pytest.raises(InputError, match=words):
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


def test_greys_of_sixteen_bits_are_scaled_and_floats_named(tmp_path):
    level = np.full((5, 7), 0x40FF, np.uint16)
    for name in ("a.png", "a.tif"):
        Image.fromarray(level).save(tmp_path / name)
        ((*_, image),), faults = read(tmp_path / name)
        assert (image == 0x40).all() and image.shape == (5, 7, 3) and faults == {}
    Image.fromarray(level.astype(np.float32)).save(tmp_path / "f.tif")
    frames, faults = read(tmp_path / "f.tif")
    assert frames == [] and "floating-point" in faults[tmp_path / "f.tif"]


def test_what_moves_is_a_video_and_of_pages_the_first_is_read(tmp_path):
    frames, faults = read(animate(tmp_path / "a.gif"), stride=3)
    assert [frame.index for frame in frames] == [0, 3] and faults == {}
    np.testing.assert_allclose([frame.seconds for frame in frames], [0, 0.22])
    assert [int(frame.image.mean()) for frame in frames] == [40, 160]
    page = Image.new("L", (4, 4), 7)
    page.save(tmp_path / "a.tif", save_all=True, append_images=[page] * 4)
    (frame,), faults = read(tmp_path / "a.tif")
    assert frame.seconds is None and (frame.image == 7).all()
    assert faults == {tmp_path / "a.tif": "only the first of its 5 pictures is used"}


def test_a_file_of_no_known_suffix_is_read_as_an_image_and_what_else_it_may_be_is_said(tmp_path):
    Image.new("L", (4, 4), 7).save(tmp_path / "a", "PNG")
    assert len(read(tmp_path / "a")[0]) == 1
    (tmp_path / "b.xyz").write_bytes(b"no image")
    assert (
        "videos are known by their suffix, .mp4" in read(tmp_path / "b.xyz")[1][tmp_path / "b.xyz"]
    )


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
