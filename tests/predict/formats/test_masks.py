"""Masks as PNG: of the frame's size, in bytes that other programs read as they are."""

import cv2
import numpy as np
import pytest
from PIL import Image

from tcam_jax.predict.decision import Decision
from tcam_jax.predict.formats.masks import MaskWriter
from tcam_jax.predict.inputs import InputFrame
from tcam_jax.runtime.errors import InputError
from tests.small_disk import small_disk


def found(u8, height, width, frame=0, time=None):
    decide = Decision(("bird", "cat"), 0.5, True, regions="all")
    image = np.zeros((height, width, 3), np.uint8)
    return decide(InputFrame(None, frame, time, image), np.zeros(2), u8)


def two_regions():
    u8 = np.zeros((8, 8), np.uint8)
    u8[0:2, 0:2] = u8[3:8, 3:8] = 250
    return u8


def test_foreground_is_255(tmp_path):
    prediction = found(two_regions(), 33, 57)
    MaskWriter(tmp_path).write(prediction, "cats/a ü")
    path = tmp_path / "masks/cats/a ü.png"
    with Image.open(path) as mask:
        assert mask.mode == "L" and mask.size == (57, 33)
        np.testing.assert_array_equal(np.asarray(mask), 255 * prediction.mask())
    np.testing.assert_array_equal(cv2.imread(path, cv2.IMREAD_UNCHANGED), 255 * prediction.mask())
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_each_region_has_its_boxs_number(tmp_path):
    prediction = found(two_regions(), 33, 57, frame=12, time=0.5)
    MaskWriter(tmp_path, "all").write(prediction, "b")
    with Image.open(tmp_path / "masks/b/000012.png") as mask:
        assert mask.mode == "P" and len(set(mask.getpalette()[:9])) > 2
        numbers = np.asarray(mask)
    assert len(prediction.boxes) == 2 and set(np.unique(numbers)) == {0, 1, 2}
    for number, region in enumerate(prediction.region_masks(), 1):
        np.testing.assert_array_equal(numbers == number, region)


def test_more_regions_than_a_palette_has(tmp_path):
    u8 = np.zeros((40, 40), np.uint8)
    u8[::2, ::2] = 250
    prediction = found(u8, 40, 40)
    MaskWriter(tmp_path, "all").write(prediction, "many")
    numbers = cv2.imread(tmp_path / "masks/many.png", cv2.IMREAD_UNCHANGED)
    assert numbers.dtype == np.uint16 and len(prediction.boxes) == 400
    np.testing.assert_array_equal(np.unique(numbers), np.arange(401))
    np.testing.assert_array_equal(numbers, prediction.region_numbers())
    MaskWriter(tmp_path, "all").write(found(u8 * 0, 40, 40), "none")
    assert not cv2.imread(tmp_path / "masks/none.png").any()


@pytest.mark.parametrize("name", ["../a", "/a", "a/../../b", ""])
def test_no_name_leads_out_of_the_folder(tmp_path, name):
    with pytest.raises(InputError, match="must be a path below its folder"):
        MaskWriter(tmp_path / "out").write(found(two_regions(), 8, 8), name)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written(tmp_path):
    (tmp_path / "masks").touch()
    with pytest.raises(InputError, match="a.png cannot be written"):
        MaskWriter(tmp_path).write(found(two_regions(), 8, 8), "a")
    with small_disk(20), pytest.raises(InputError, match="a.png cannot be written"):
        MaskWriter(tmp_path / "out").write(found(two_regions(), 8, 8), "a")
    assert not list(tmp_path.glob("out/masks/.*"))
    with pytest.raises(InputError, match="regions must be one of largest, all; got 'some'"):
        MaskWriter(tmp_path, "some")
