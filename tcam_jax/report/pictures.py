"""Pictures for the page: drawn, shrunk, and turned into text that HTML can hold."""

import base64
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from tcam_jax.predict.drawing.overlays import draw_panels

LARGEST_SIDE = 288  # of a panel, pixels: a page of a hundred pictures stays below 10 MB


class Figure(NamedTuple):
    """A picture in the page.

    Attributes:
      uri: "data:image/…", the whole picture.
      width, height: in pixels.
      alt: what it shows, for those who do not see it.
      caption: what is written below.
    """

    uri: str
    width: int
    height: int
    alt: str
    caption: str


def panels(
    image: Image.Image, levels: np.ndarray, truth: np.ndarray, predicted: np.ndarray, level: int
) -> np.ndarray:
    """Draw a frame with its boxes beside the frame under its map, shrunk to the page.

    Args:
      image: the frame.
      levels: its quantised map, uint8 `[s, s]`, of any size.
      truth, predicted: boxes in pixels of the frame, `[n, 4]`.
      level: of the map, what is above it is outlined.
    """
    frame, scale = shrunk(image), _scale(image)
    return draw_panels(frame, levels, truth * scale, predicted * scale, level)


def shrunk(image: Image.Image) -> np.ndarray:
    """Return a frame as large as the page has it, uint8 `[h, w, 3]`."""
    scale = _scale(image)
    size = (max(round(image.width * scale), 1), max(round(image.height * scale), 1))
    return np.asarray(image.convert("RGB").resize(size, Image.Resampling.BILINEAR))


def still(picture: np.ndarray, alt: str, caption: str) -> Figure:
    """Return a picture, uint8 `[h, w, 3]`, as a JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=80)
    return _figure("jpeg", buffer, picture, alt, caption)


def moving(pictures: Sequence[np.ndarray], seconds: float, alt: str, caption: str) -> Figure:
    """Return pictures of one size, `seconds` each, as an animated WebP that goes round."""
    first, *others = map(Image.fromarray, pictures)
    buffer = io.BytesIO()
    first.save(
        buffer,
        "WEBP",
        save_all=True,
        append_images=others,
        duration=round(1000 * seconds),
        loop=0,
        quality=55,
    )
    return _figure("webp", buffer, pictures[0], alt, caption)


def as_png(levels: np.ndarray) -> str:
    """Return a map, uint8 `[h, w]`, as a grey PNG, "data:image/png…": the very same values."""
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, "PNG", optimize=True)
    return _uri("png", buffer)


def _scale(image: Image.Image) -> float:
    return min(1.0, LARGEST_SIDE / max(image.size))


def _uri(kind: str, buffer: io.BytesIO) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _figure(kind: str, buffer: io.BytesIO, picture: np.ndarray, alt: str, caption: str) -> Figure:
    height, width = picture.shape[:2]
    return Figure(_uri(kind, buffer), width, height, alt, caption)
