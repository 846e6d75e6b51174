from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tcam_jax.data.builders.findings import Findings
from tcam_jax.data.builders.moving_photos.pictures import read_background, read_cutout, shrink
from tcam_jax.data.builders.moving_photos.sources import (
    background_files,
    class_folders,
    is_video,
    split_sources,
)
from tests.data.builders.moving_photos.conftest import write_cutout

SPLIT_NAMES = ("train", "validation", "test")


def files(folder: str, count: int, suffix: str = ".png") -> list[Path]:
    return [Path(f"{folder}/{number}{suffix}") for number in range(count)]


def test_every_file_is_in_one_split_and_none_in_two():
    classes = {"a": files("a", 3), "b": files("b", 21)}
    backgrounds = files("x", 30, ".jpg") + files("x", 5, ".mp4")
    splits = split_sources(classes, backgrounds, seed=0)
    assert tuple(splits) == SPLIT_NAMES
    for number, of_class in enumerate(classes.values()):
        given = [file for split in splits.values() for file in split.cutouts[number]]
        assert sorted(given) == sorted(of_class)
    given = [file for split in splits.values() for file in split.backgrounds]
    assert sorted(given) == sorted(backgrounds)
    assert [len(splits[s].cutouts[0]) for s in SPLIT_NAMES] == [1, 1, 1]
    assert [len(splits[s].cutouts[1]) for s in SPLIT_NAMES] == [13, 3, 5]
    assert [sum(map(is_video, splits[s].backgrounds)) for s in SPLIT_NAMES] == [3, 1, 1]


def test_splits_are_those_of_the_names_and_the_seed():
    classes, backgrounds = {"a": files("a", 9), "b": files("b", 9)}, files("x", 9, ".jpg")
    assert split_sources(classes, backgrounds, 0) == split_sources(classes, backgrounds, 0)
    assert split_sources(classes, backgrounds, 0) != split_sources(classes, backgrounds, 1)


def test_the_folder_is_listed_and_what_does_not_belong_is_noted(folder, tmp_path):
    findings = Findings()
    classes = class_folders(folder, findings)
    assert {name: [file.name for file in of] for name, of in classes.items()} == {
        name: ["0.png", "1.png", "2.png", "3.png"] for name in ("disc", "gem", "stick")
    }
    names = [file.name for file in background_files(folder, findings)]
    assert names == ["0.jpg", "1.jpg", "2.jpg", "3.jpg", "4.jpg", "rain.avi"]
    assert not findings.all
    for name in ("a", "b"):
        (tmp_path / "cutouts" / name).mkdir(parents=True)
        for number in range(3):
            (tmp_path / "cutouts" / name / f"{number}.png").touch()
    (tmp_path / "cutouts" / "a" / "notes.txt").touch()
    (tmp_path / "cutouts" / "stray.png").touch()
    assert list(class_folders(tmp_path, findings)) == ["a", "b"]
    noted = {(finding.kind, finding.where) for finding in findings.all}
    assert noted == {("not_a_frame", "cutouts/a/notes.txt"), ("not_a_frame", "cutouts/stray.png")}


def test_too_little_is_refused_with_counts(tmp_path):
    with pytest.raises(ValueError, match="has no folder cutouts; expected cutouts/CLASS"):
        class_folders(tmp_path, Findings())
    with pytest.raises(ValueError, match="has no folder backgrounds; expected cutouts/CLASS"):
        background_files(tmp_path, Findings())
    (tmp_path / "cutouts" / "a").mkdir(parents=True)
    with pytest.raises(ValueError, match="has 1 class folders, but it takes two or more"):
        class_folders(tmp_path, Findings())
    (tmp_path / "cutouts" / "b").mkdir()
    for number in range(3):
        (tmp_path / "cutouts" / "a" / f"{number}.png").touch()
    for number in range(2):
        (tmp_path / "cutouts" / "b" / f"{number}.png").touch()
    with pytest.raises(ValueError, match="there are 2 cut-outs of class 'b' .* 3 at least; add"):
        class_folders(tmp_path, Findings())
    (tmp_path / "backgrounds").mkdir()
    (tmp_path / "backgrounds" / "one.jpg").touch()
    with pytest.raises(ValueError, match="there are 1 backgrounds in .* 3 at least"):
        background_files(tmp_path, Findings())


def test_a_cutout_is_cropped_and_what_it_stood_before_does_not_show(tmp_path):
    # A red disc before white: the last two pixels of its rim are a mixture, and half transparent.
    y, x = np.mgrid[:80, :100]
    distance = np.hypot(x - 60, y - 35)
    pixels = np.zeros((80, 100, 4), np.uint8)
    pixels[distance < 20] = (255, 0, 0, 255)
    pixels[(distance >= 20) & (distance < 22)] = (255, 200, 200, 140)
    Image.fromarray(pixels).save(tmp_path / "red.png")
    cutout = read_cutout(tmp_path / "red.png")
    assert cutout.dtype == np.float32 and 44 <= min(cutout.shape[:2]) <= max(cutout.shape[:2]) <= 50
    alpha = cutout[..., 3]
    assert alpha[20:26, 20:26].min() == 1 and alpha[[0, -1]].max() == alpha[:, [0, -1]].max() == 0
    assert cutout[..., 1:3].max() < 0.02  # no white
    np.testing.assert_allclose(cutout[..., 0], alpha, atol=0.01)


def test_unusable_pictures_are_refused_by_name(tmp_path):
    Image.new("RGB", (20, 20)).save(tmp_path / "whole.png")
    with pytest.raises(ValueError, match=r"whole.png has no transparent pixel"):
        read_cutout(tmp_path / "whole.png")
    Image.new("RGBA", (20, 20)).save(tmp_path / "nothing.png")
    with pytest.raises(ValueError, match=r"nothing.png has nothing but transparent pixels"):
        read_cutout(tmp_path / "nothing.png")
    for name, read in (("x.png", read_cutout), ("x.jpg", read_background)):
        (tmp_path / name).write_bytes(b"no picture")
        with pytest.raises(ValueError, match=rf"{name} cannot be read .*; mend or remove it"):
            read(tmp_path / name)
    (tmp_path / "x.mp4").write_bytes(b"no video")
    with pytest.raises(ValueError, match=r"x.mp4 cannot be decoded .*; mend or remove it"):
        read_background(tmp_path / "x.mp4")


def test_backgrounds_are_brought_to_a_size(folder, tmp_path):
    Image.new("L", (2000, 1000), 77).save(tmp_path / "grey.png")
    photo = read_background(tmp_path / "grey.png")
    assert photo.shape == (1, 320, 640, 3) and np.unique(photo).tolist() == [77]
    video = read_background(folder / "backgrounds" / "rain.avi")
    assert video.shape == (5, 96, 128, 3)  # every other of nine
    np.testing.assert_allclose(video.mean(axis=(1, 2, 3)), 40 * np.arange(5), atol=4)


def test_shrinking_averages(tmp_path):
    write_cutout(tmp_path / "a.png", "disc", (9, 9, 9))
    cutout = read_cutout(tmp_path / "a.png")
    half = shrink(cutout, 0.5)
    np.testing.assert_allclose(half.mean(axis=(0, 1)), cutout.mean(axis=(0, 1)), rtol=0.02)
    assert shrink(cutout, 1.2) is cutout
