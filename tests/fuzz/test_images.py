"""Image files: the pixels that are in them, or one word on why there are none."""

import functools
import io
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tcam_jax.data.builders.images import check_frame
from tcam_jax.data.builders.sources import SourceFrame
from tcam_jax.data.decode import decode_into
from tcam_jax.predict.frame_source import read_frames
from tests.fuzz import damage, outcome

FORMATS = {
    "JPEG": {"quality": 90},
    "progressive": {"quality": 90, "progressive": True},
    "PNG": {},
    "GIF": {},
    "TIFF": {},
    "deflate": {"compression": "tiff_adobe_deflate"},
    "WEBP": {},
    "lossless": {"lossless": True},
    "AVIF": {},
    "BMP": {},
    "PPM": {},
    "TGA": {},
    "JPEG2000": {},
    "stream": {"no_jp2": True},
}
KINDS = {"progressive": "JPEG", "deflate": "TIFF", "lossless": "WEBP", "stream": "JPEG2000"}
SUFFIXES = {"JPEG": ".jpg", "TIFF": ".tif", "JPEG2000": ".jp2", "stream": ".jp2"}
MOVING = ("GIF", "PNG", "WEBP", "AVIF")
SIZE = (24, 16)


def _picture(number: int) -> Image.Image:
    pixels = np.random.default_rng(number).integers(
        0, 256, (SIZE[1] // 4, SIZE[0] // 4, 3), np.uint8
    )
    return Image.fromarray(pixels).resize(SIZE)


@functools.cache
def _file(name: str, frames: int = 1) -> bytes:
    file = io.BytesIO()
    kind = KINDS.get(name, name)
    options = dict(FORMATS[name])
    if frames > 1:
        rest = [_picture(number) for number in range(1, frames)]
        options |= {"save_all": True, "append_images": rest, "duration": 40}
    _picture(0).save(file, kind, **options)
    return file.getvalue()


def _checked(content: bytes):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of metadata
        return outcome.of(lambda: check_frame(SourceFrame("f", "f", content, ())))


def _predicted(content: bytes, suffix: str):
    """Pixels of all frames as prediction reads them, and what is said of the file."""
    told: list[str] = []
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder, f"a{suffix}")
        path.write_bytes(content)
        frames = outcome.of(lambda: list(read_frames(path, 1, lambda _, why: told.append(why))))
    return frames, told


@pytest.mark.parametrize("name", FORMATS)
@outcome.examples(12)
@given(st.data())
def test_cut_off(name, data):
    whole, content = _file(name), data.draw(damage.cut(_file(name)))
    (wanted, _), (found, noted) = _checked(whole), _checked(content)
    assert wanted is not None
    if found is None:
        assert noted
    else:
        assert found.jpeg == wanted.jpeg or found.jpeg == content
        (right,), _ = _predicted(whole, SUFFIXES.get(name, f".{name}"))
        (shown,), _ = _predicted(content, SUFFIXES.get(name, f".{name}"))
        assert np.array_equal(right.image, shown.image)


@pytest.mark.parametrize("name", FORMATS)
@outcome.examples(12)
@given(st.data())
def test_damaged(name, data):
    content = data.draw(damage.bytes_of(_file(name)))
    found, noted = _checked(content)
    if found is None:
        assert noted
    else:
        pixels = np.empty((8, 8, 3), np.uint8)
        outcome.of(lambda: decode_into(found.jpeg, pixels), ValueError)
        assert found.width > 0 < found.height
    frames, told = _predicted(content, SUFFIXES.get(name, f".{name.lower()}"))
    assert frames or told


@pytest.mark.parametrize("kind", MOVING)
@outcome.examples(12)
@given(st.data())
def test_what_moves(kind, data):
    """The frames before a cut are those of the whole file; that some are missing is said."""
    whole = _file(kind, 4)
    wanted, told = _predicted(whole, f".{kind.lower()}")
    assert len(wanted) == 4 and not told
    content = data.draw(damage.cut(whole))
    frames, told = _predicted(content, f".{kind.lower()}")
    assert len(frames) == 4 or told
    for right, shown in zip(wanted, frames, strict=False):
        assert right.index == shown.index and np.array_equal(right.image, shown.image)
    frames, told = _predicted(data.draw(damage.bytes_of(whole)), f".{kind.lower()}")
    assert frames or told
