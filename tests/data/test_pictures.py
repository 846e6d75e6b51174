"""Images of every mode and format as RGB of 8 bits: nothing is cut off in silence."""

import base64
import io
import struct
import sys
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from tcam_jax.data.animation import is_video
from tcam_jax.data.pictures import is_image, open_image, others_in, to_rgb
from tcam_jax.runtime.errors import InputError
from tests.runtime.test_plain_files import pipe, sparse

# 48x32, its left half (200, 40, 40), its right half (40, 40, 200).
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAX1tZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAA"
    "AAAAAAAAACJpbG9jAAAAAERAAAEAAQAAAAABoQABAAAAAAAAAFkAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABo"
    "dmMxAAAAAA5waXRtAAAAAAABAAAA/WlwcnAAAADdaXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEA"
    "GEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAA"
    "AwAhYgABAAZEAcFzwIkAAAATY29scm5jbHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAoY2xhcAAAADAAAAAB"
    "AAAAIAAAAAH////wAAAAAv///+AAAAACAAAAEHBpeGkAAAAAAwgICAAAABhpcG1hAAAAAAAAAAEAAQWBAgMFhAAAAGFt"
    "ZGF0AAAAVSgBrwng40ialv/1r//8bnkPGizG75/3r7d5Ft/7y6Q24GQNOKU3evi6ABJByLurDVvL5PBQQyi+8rxP7/fO"
    "ykUwEreIQOyuJrs9hhMJdnEA65kHm3A="
)
GREYS = np.arange(65536, dtype=np.uint16).reshape(256, 256)


def encoded(image: Image.Image, kind: str, **options) -> io.BytesIO:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return io.BytesIO(file.getvalue())


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(to_rgb(image).image)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG2000", "PGM"])
def test_sixteen_bits_are_scaled_as_opencv_and_pillow_scale_colours(kind):
    if kind == "PGM":
        file = io.BytesIO(b"P5 256 256 65535\n" + GREYS.byteswap().tobytes())
    else:
        file = encoded(Image.fromarray(GREYS), kind)
    with open_image(file) as image:
        picture = to_rgb(image)
    assert picture.notes == ["16 bits scaled to 8"] and picture.image.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(picture.image)[..., 1], GREYS >> 8)
    if kind == "PNG":
        by_opencv = cv2.imdecode(np.frombuffer(file.getvalue(), np.uint8), cv2.IMREAD_COLOR)
        np.testing.assert_array_equal(picture.image, by_opencv)


def tiff(bits: int, is_white_zero: bool, data: bytes) -> io.BytesIO:
    """One row of four grey pixels."""
    tags = {256: 4, 257: 1, 258: bits, 259: 1, 262: int(not is_white_zero), 273: 8, 277: 1, 278: 1}
    tags[279] = len(data)
    entries = b"".join(
        tag.to_bytes(2, "little") + b"\4\0\1\0\0\0" + value.to_bytes(4, "little")
        for tag, value in tags.items()
    )
    start = (8 + len(data)).to_bytes(4, "little")
    return io.BytesIO(b"II*\0" + start + data + b"\x09\0" + entries + b"\0\0\0\0")


def test_tiffs_of_twelve_bits_and_with_white_as_zero():
    sixteen = np.array([0, 256, 32768, 65535], "<u2").tobytes()
    assert pixels(Image.open(tiff(16, False, sixteen)))[0, :, 0].tolist() == [0, 1, 128, 255]
    assert pixels(Image.open(tiff(16, True, sixteen)))[0, :, 0].tolist() == [255, 254, 127, 0]
    twelve = bytes.fromhex("000010800fff")
    assert pixels(Image.open(tiff(12, False, twelve)))[0, :, 0].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize(
    ("dtype", "words"), [(np.float32, "floating-point numbers"), (np.int32, "32-bit integers")]
)
def test_values_without_a_range_are_refused(dtype, words):
    image = Image.fromarray(np.zeros((4, 5), dtype))
    for one in (image, Image.open(encoded(image, "TIFF"))):
        with pytest.raises(ValueError, match=f"{words}, whose range .*convert it to 8 or 16 bits"):
            to_rgb(one)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "HSV", "LAB", "RGBX"])
def test_other_modes_are_as_pillow_has_them(mode):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8))
    image = Image.new("LAB", (9, 7), (120, 20, 30)) if mode == "LAB" else image.convert(mode)
    picture = to_rgb(image)
    assert picture.image.mode == "RGB" and picture.notes == []
    np.testing.assert_array_equal(picture.image, image.convert("RGB"))


def test_transparent_pixels_lie_on_white_as_viewers_show_them():
    colours = np.full((1, 3, 4), 10, np.uint8)
    colours[0, :, 3] = (0, 128, 255)
    picture = to_rgb(Image.fromarray(colours))
    assert np.asarray(picture.image)[0, :, 0].tolist() == [255, 132, 10]
    assert picture.notes == ["transparent pixels are put on white"]
    grey = Image.merge("LA", [Image.new("L", (2, 1), 10), Image.new("L", (2, 1))])
    grey.putpixel((1, 0), (10, 255))
    assert pixels(grey)[0, :, 2].tolist() == [255, 10]
    palette = Image.new("P", (2, 1))
    palette.putpalette([9, 9, 9, 80, 80, 80])
    palette.putpixel((1, 0), 1)
    with Image.open(encoded(palette, "GIF", transparency=0)) as image:
        assert pixels(image)[0, :, 0].tolist() == [255, 80]
    # An alpha that says nothing, or all of it is there: the colours as they are.
    for alpha, notes in ((0, ["all of it is transparent, which is ignored"]), (255, [])):
        colours[..., 3] = alpha
        picture = to_rgb(Image.fromarray(colours))
        assert np.asarray(picture.image).tolist() == [[[10] * 3] * 3] and picture.notes == notes


def test_all_are_turned_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    for image in (Image.new("RGB", (4, 2)), Image.fromarray(np.zeros((2, 4), np.uint16))):
        with open_image(encoded(image, "PNG", exif=exif)) as turned:
            assert to_rgb(turned).image.size == (2, 4)


@pytest.mark.parametrize("kind", ["PNG", "AVIF", "WEBP", "JPEG2000", "PPM", "TGA", "BMP"])
def test_formats_that_pillow_reads(kind):
    colours = np.full((16, 16, 3), (200, 40, 90), np.uint8)
    with open_image(encoded(Image.fromarray(colours), kind)) as image:
        np.testing.assert_allclose(pixels(image), colours, atol=6)


def test_heic_needs_its_extra(tmp_path, monkeypatch):
    (tmp_path / "a.HEIC").write_bytes(HEIC)
    for source in (tmp_path / "a.HEIC", io.BytesIO(HEIC)):
        with open_image(source) as image:
            assert image.size == (48, 32)
            np.testing.assert_allclose(pixels(image)[16, [5, 40]], [[200, 40, 40], [40, 40, 200]])
    Image.init()
    monkeypatch.setattr(Image, "ID", [name for name in Image.ID if name != "HEIF"])
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(InputError, match=r"pi_heif.*pip install 'tcam_jax\[heif\]'"):
        open_image(tmp_path / "a.HEIC")


def test_of_several_pages_one_is_used_and_that_is_said():
    pages = [Image.new("L", (4, 4), level) for level in (10, 20, 30)]
    with open_image(encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])) as image:
        assert others_in(image) == "only the first of its 3 pictures is used"
        assert pixels(image)[0, 0].tolist() == [10] * 3
    with open_image(encoded(pages[0], "TIFF")) as image:
        assert others_in(image) == ""


def test_a_million_pages_are_not_counted():
    """Pillow needs seconds for ten thousand, and grows with their square."""
    tags = {256: 1, 257: 1, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: 1}
    fields = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    starts = range(8, 8 + 114 * 2000, 114)
    pages = b"".join(struct.pack("<H", 9) + fields + struct.pack("<I", at + 114) for at in starts)
    with open_image(io.BytesIO(b"II*\0\x08\0\0\0" + pages)) as image:
        assert others_in(image) == "only the first of its more than 1000 pictures is used"
        assert pixels(image).shape == (1, 1, 3)


def png(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        checked = name + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    head = struct.pack(">2I5B", width, height, 1, 0, 0, 0, 0)
    packed = zlib.compress(bytes(10**4))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed)


HUGE = {
    "PNG": png(10**5, 10**5),
    "PGM": b"P5 100000 100000 255\n" + bytes(99),
    "BMP": b"BM" + struct.pack("<IIIIiiHHII", 99, 0, 54, 40, 10**5, 10**5, 1, 24, 0, 0) + bytes(80),
    "GIF": b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\0\0\0\x2c" + bytes(99),
}


@pytest.mark.parametrize("kind", HUGE)
def test_a_bomb_is_refused_before_its_pixels_are_made(tmp_path, kind):
    path = tmp_path / f"a.{kind.lower()}"
    path.write_bytes(HUGE[kind])
    for source in (path, io.BytesIO(HUGE[kind])):
        with pytest.raises(Image.DecompressionBombError, match="exceeds limit of 178956970 pixels"):
            open_image(source)
    assert not is_video(path)


@pytest.mark.parametrize("name", ["a.jpg", "a.gif", "a.heic"])
@pytest.mark.parametrize(
    ("make", "words"), [(pipe, "it is a named pipe"), (sparse, r"it has 1\.0 TB")]
)
def test_what_is_no_file_or_too_large_is_not_read(tmp_path, name, make, words):
    path = make(tmp_path / name)
    with pytest.raises(OSError, match=words):
        open_image(path)
    assert not is_video(path)


def test_suffixes_in_any_capitals(tmp_path):
    names = ("a.jpg", "a.TIFF", "a.Heic", "a.avif", "a.JPE")
    assert all(is_image(tmp_path / name) for name in names)
    assert not is_image(tmp_path / "a.mp4") and not is_image(tmp_path / "jpg")


@pytest.mark.parametrize("options", [{}, {"no_jp2": True}])
def test_a_jpeg_2000_that_was_cut_off_is_no_blurred_picture(tmp_path, options):
    noise = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    path = tmp_path / "a.jp2"
    Image.fromarray(noise).save(path, "JPEG2000", **options)
    with open_image(path) as image:
        assert np.array_equal(to_rgb(image).image, noise)
    content = path.read_bytes()
    for kept in (len(content) // 2, len(content) - 1):
        with pytest.raises(OSError, match="truncated"):
            open_image(io.BytesIO(content[:kept]))
