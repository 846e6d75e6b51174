"""Image files, and images in memory, as RGB of 8 bits: one rule for preparation and prediction."""

import os
import struct
from io import BufferedIOBase
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from tcam_jax.runtime.extras import require
from tcam_jax.runtime.plain_files import check_plain

SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp", ".tif", ".tiff"),
    *(".avif", ".jp2", ".ppm", ".pgm", ".pnm", ".tga", ".heic", ".heif", ".hif"),
)

MOST_BYTES = 1 << 29  # of an image file: some decoders take all of it into memory
_MOST_PAGES = 1000  # that are counted: Pillow looks up each page of a TIFF among all before it

_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
_BITS, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0  # TIFF's


class Picture(NamedTuple):
    """An image in mode RGB, upright; `notes`: what had to be done to its pixels, in words."""

    image: Image.Image
    notes: list[str]


def is_image(path: Path) -> bool:
    """Whether the file's name is that of an image; what is in it is seen when it is read."""
    return path.suffix.lower() in SUFFIXES


def open_image(source: Path | BufferedIOBase) -> Image.Image:
    """Pillow's `Image.open`, which also opens HEIC where the extra `heif` is installed.

    Raises:
      InputError: it is HEIC and the extra is not installed.
      OSError: it cannot be read, is larger than `MOST_BYTES`, or is no image.
      Image.DecompressionBombError: it has more pixels than Pillow allows (179 million).
    """
    if isinstance(source, Path):
        check_plain(source, MOST_BYTES)
    try:
        image = Image.open(source)
        if image.format == "JPEG2000":
            _check_end(image.fp)
        return image
    except UnidentifiedImageError:
        if not _is_heif(source):
            raise
    require("heif", "pi_heif")
    import pi_heif

    pi_heif.register_heif_opener()
    return Image.open(source)


def _check_end(file: BufferedIOBase) -> None:
    """Raises OSError for a JPEG 2000 that was cut off: Pillow shows what there is, blurred."""
    place, size = file.tell(), file.seek(0, os.SEEK_END)
    start, end = 0, size
    file.seek(0)
    if file.read(8)[4:] == b"jP  ":  # boxes, one of which holds the picture
        while start + 8 <= size:
            file.seek(start)
            length, name = struct.unpack(">I4s", file.read(8))
            if length == 1:
                length = int.from_bytes(file.read(8), "big")
            if name == b"jp2c":
                end = start + length if length else size
            if name == b"jp2c" or length < 8:
                break
            start += length
    file.seek(max(end - 2, 0))
    whole = end <= size and file.read(2) == b"\xff\xd9"
    file.seek(place)
    if not whole:
        raise OSError("image file is truncated")


def _is_heif(source: Path | BufferedIOBase) -> bool:
    if isinstance(source, Path):
        with source.open("rb") as file:
            return _is_heif(file)
    source.seek(0)
    head = source.read(12)
    source.seek(0)
    return head[4:8] == b"ftyp" and head[8:] in _HEIF_BRANDS


def to_rgb(image: Image.Image) -> Picture:
    """An image of any mode as a viewer shows it on white: upright, RGB, 8 bits.

    16 bits become 8 by their upper half, as Pillow and OpenCV do it with colours; transparent
    pixels lie on white; of several pictures or pages it is the one at which `image` stands.

    Raises:
      ValueError: its values have no known range, or Pillow has no way to RGB.
      OSError: the file is damaged.
    """
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        return Picture(_eight_bits(image), ["16 bits scaled to 8"])
    if image.mode in ("I", "F"):
        kind = "32-bit integers" if image.mode == "I" else "floating-point numbers"
        raise ValueError(
            f"its pixels are {kind}, whose range is not known; convert it to 8 or 16 bits"
        )
    image = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        least, most = layer.getchannel("A").getextrema()
        if most == 0:
            return Picture(layer.convert("RGB"), ["all of it is transparent, which is ignored"])
        if least < 255:
            white = Image.new("RGBA", layer.size, "white")
            on_white = Image.alpha_composite(white, layer).convert("RGB")
            return Picture(on_white, ["transparent pixels are put on white"])
    return Picture(image.convert("RGB"), [])


def _eight_bits(image: Image.Image) -> Image.Image:
    tags = getattr(image, "tag_v2", {})
    # TIFF may hold 12 bits; Pillow turns neither these nor white and black around.
    bits = tags.get(_BITS, (16,))[0]
    values = np.asarray(ImageOps.exif_transpose(image)) >> (bits - 8)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        values = 255 - values
    return Image.fromarray(values.astype(np.uint8)).convert("RGB")


def others_in(image: Image.Image) -> str:
    """What is said of an image file of several pictures or pages, of which one is used; or ""."""
    if image.format == "TIFF":
        count = _pages(image)
    else:  # MPO: a JPEG followed by what cameras add to it.
        count = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    number = f"more than {_MOST_PAGES}" if count > _MOST_PAGES else count
    return f"only the first of its {number} pictures is used" if count > 1 else ""


def _pages(image: Image.Image) -> int:
    """How many pages a TIFF has; one more than `_MOST_PAGES` stands for all that is more."""
    here, count = image.tell(), 1
    try:
        # Page by page: of a page behind the last Pillow would believe that it is there.
        while count <= _MOST_PAGES:
            image.seek(count)
            count += 1
    except EOFError:
        pass
    image.seek(here)
    return count
