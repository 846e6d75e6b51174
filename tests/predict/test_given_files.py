"""What a command is given: files, roots, names, shards, a camera."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tcam_jax.data.folder_walk import in_words
from tcam_jax.predict.given_files import find_given
from tcam_jax.predict.result_folder import ResultFolder
from tcam_jax.runtime.errors import InputError
from tests.data.test_video import write


@pytest.fixture
def folder(tmp_path):
    """Images that differ in their suffix alone, a video, a GIF that moves, and a text."""
    (tmp_path / "in" / "b").mkdir(parents=True)
    image = Image.fromarray(np.zeros((8, 8, 3), np.uint8))
    for name in ("a.jpg", "a.png", "b/10.jpg", "b/9.jpg"):
        image.save(tmp_path / "in" / name)
    image.save(
        tmp_path / "in" / "b" / "film.gif",
        save_all=True,
        append_images=[Image.new("RGB", (8, 8), "red")],
    )
    write(tmp_path / "in" / "street.avi", [0, 0.04], size=(16, 16), codec="ffv1")
    (tmp_path / "in" / "notes.txt").write_text("no image")
    return tmp_path / "in"


def names(given):
    return [file.relative_to(given.root).as_posix() for file in given.files]


def test_a_folder_has_its_own_names_and_says_what_it_leaves_out(folder):
    given = find_given([str(folder)], folder.parent / "out")
    assert names(given) == ["a.jpg", "a.png", "b/9.jpg", "b/10.jpg", "b/film.gif", "street.avi"]
    assert given.root == folder and [one.path.name for one in given.left_out] == ["notes.txt"]
    overlays = {f.name: o.as_posix() for f, o in given.overlays().items()}
    assert overlays == {
        "a.jpg": "a.jpg",
        "a.png": "a.png.jpg",
        "9.jpg": "b/9.jpg",
        "10.jpg": "b/10.jpg",
        "film.gif": "b/film.mp4",
        "street.avi": "street.mp4",
    }
    masks = {f.name: name for f, name in given.masks().items()}
    assert masks["a.png"] == "a.png" and masks["9.jpg"] == "b/9"
    assert len(set(masks.values())) == 6


def test_several_inputs_and_globs_have_a_common_root(folder):
    given = find_given([f"{folder}/b/*.jpg", str(folder / "street.avi")], folder.parent / "out")
    assert names(given) == ["b/9.jpg", "b/10.jpg", "street.avi"] and given.root == folder
    again = find_given([str(folder), str(folder / "a.jpg")], folder.parent / "out")
    assert len(again.files) == len(set(again.files)) == 6
    spelled = [f"{folder}/b/../a.jpg", str(folder / "b"), f"{folder}/../in/b/*.jpg"]
    once = find_given(spelled, folder.parent / "out")
    assert sorted(file.name for file in once.files) == ["10.jpg", "9.jpg", "a.jpg", "film.gif"]
    (one,) = find_given([str(folder / "a.jpg")], folder.parent / "out").files
    assert one == folder / "a.jpg"


def test_what_is_left_out_of_several_inputs_is_named_once(folder, monkeypatch):
    (folder / "b" / ".hidden").touch()
    monkeypatch.chdir(folder.parent)
    given = find_given(["in/b", "in", str(folder)], Path("out"))
    words = in_words(given.left_out, given.root)
    assert words == "left out: neither images nor videos: 1 (.txt 1); hidden: 1 (b/.hidden)"


def test_what_is_written_is_not_what_is_read(folder):
    for output in (folder, folder / "b"):
        with pytest.raises(InputError, match="must be another folder than that of the input"):
            find_given([str(folder)], output)
    (folder / "loop").symlink_to("loop")
    with pytest.raises(InputError, match="must be a folder to write to"):
        find_given([str(folder / "b")], folder / "loop")
        ResultFolder(folder / "loop", {}).__enter__()
    (folder / "loop").unlink()
    before = find_given([str(folder)], folder / "out")
    for settings in ("out/settings.json", "out/shard_0000_of_0002/settings.json"):
        (folder / settings).parent.mkdir(parents=True)
        (folder / settings).touch()
        Image.new("RGB", (8, 8)).save(folder / settings.replace("settings.json", "a.jpg"))
        for names in ([folder], [f"{folder}/**/*.*"], [folder / "b", folder]):
            again = find_given(list(map(str, names)), folder / "out")
            assert set(again.files) == set(before.files)
            assert [one.path.name for one in again.left_out] == ["notes.txt"]
        for names in ([folder / "out"], [folder, folder / "out"]):
            with pytest.raises(InputError, match="a.jpg would be read"):
                find_given(list(map(str, names)), folder / "out")
        shutil.rmtree(folder / "out")
    with pytest.raises(InputError, match="^--input: .*nothing.jpg"):
        find_given([str(folder / "nothing.jpg")], folder.parent / "out")


def test_a_camera_is_alone_unless_it_is_a_file(folder, monkeypatch):
    given = find_given(["camera:0"], folder / "out")
    assert given.camera == "camera:0" and given.files == [Path("camera:0")]
    assert given.overlays() == {Path("camera:0"): Path("camera:0.mp4")}
    with pytest.raises(InputError, match="camera:0 must be the only one"):
        find_given([str(folder), "camera:0"], folder.parent / "out")
