"""Labels: a name and numbers on a plate of a box's colour, readable on any background."""

from functools import lru_cache

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from tcam_jax.predict.drawing.fonts import default_file, font, font_file

Colour = tuple[int, int, int]
_INK = (0, 0, 0)  # all plates are bright
_CUT = "…"


@lru_cache(maxsize=2048)
def label(
    name: str, numbers: str, size: int, plate: Colour, width: int
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw a label, or look it up: in a video few are new.

    Args:
      name: as of `fonts.drawable`; cut where it is too long.
      numbers: what follows it, ASCII; never cut.
      size: of the letters, pixels an em.
      plate: the background's colour, RGB, bright.
      width: the most that the label may have, pixels.

    Returns:
      uint8 `[height, <= width, 3]`, read-only; of width 0 where not even the numbers fit.
    """
    margin = max(size // 5, 2)
    parts = _fitting(name, numbers, size, width - 2 * margin)
    if not parts:
        return np.zeros((0, 0, 3), np.uint8)
    gap = _length(" ", size)
    fonts = [_font(part, size) for part in parts]
    ascent = max(one.getmetrics()[0] for one in fonts)
    height = ascent + max(one.getmetrics()[1] for one in fonts)
    lengths = [one.getlength(part) for part, one in zip(parts, fonts, strict=True)]
    across = sum(lengths) + gap * (len(parts) - 1) + 2 * margin
    image = Image.new("RGB", (min(round(across), width), height), plate)
    draw, x = ImageDraw.Draw(image), float(margin)
    for part, one, length in zip(parts, fonts, lengths, strict=True):
        draw.text((x, ascent), part, fill=_INK, font=one, anchor="ls")
        x += length + gap
    return np.asarray(image)


def _fitting(name: str, numbers: str, size: int, width: int) -> list[str]:
    """Return what fits, in parts that each have one font: name and numbers, or these alone."""
    room = width - _length(numbers, size)
    if room < 0:
        return []
    room -= _length(" ", size)
    cut = name
    while _length(cut, size) > room:
        name = name[:-1].rstrip()
        if not name:
            return [numbers]
        cut = name + _CUT
    return [*_parts(cut), numbers]


def _parts(text: str) -> list[str]:
    return [text] if font_file(text) else text.split(" ")


def _length(text: str, size: int) -> float:
    parts = _parts(text)
    gaps = 0.0 if len(parts) == 1 else _length(" ", size) * (len(parts) - 1)
    return sum(_font(part, size).getlength(part) for part in parts) + gaps


def _font(text: str, size: int) -> ImageFont.FreeTypeFont:
    return font(font_file(text) or default_file(), size)
