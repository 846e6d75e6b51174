"""Parts of pictures: sizes, layers, contours, rectangles; in OpenCV, a millisecond or less each."""

import cv2
import numpy as np
from jaxtyping import UInt8

from tcam_jax.predict.drawing.labels import Colour

Area = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels, x1 and y1 excluded."""

PANEL_GAP = 4
LARGEST_SIDE = 4096  # of a picture, pixels: what players and browsers show without fail
BACKGROUND = (24, 24, 24)
_CONTOUR, _EDGE = (255, 255, 255), (0, 0, 0)
_SMALLEST_PANEL = 192  # A 96-pixel frame is unreadable at true size.
_ENLARGED_SIDE = 1024  # Nothing is enlarged beyond this.

# Perceptually uniform from black over purple and orange to yellow.
_COLOURS = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_INFERNO)
_COLOURS = np.ascontiguousarray(_COLOURS[..., ::-1])
# A layer that covers the more the higher the map is: its colours, and what is left of the frame.
_OPACITY = np.linspace(0, 0.7, 256)[:, None, None]
_LAYER = (_COLOURS * _OPACITY).round().astype(np.uint8)
_LEFT = np.repeat(255 * (1 - _OPACITY), 3, axis=2).round().astype(np.uint8)


def heat_colours(levels: UInt8[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Colours of a map, OpenCV's "inferno": black at 0 over purple and orange to yellow at 255.

    Args:
      levels: uint8 [h, w], a quantised map.

    Returns:
      uint8 [h, w, 3], RGB.
    """
    return cv2.applyColorMap(levels, _COLOURS)


def resized(frame: np.ndarray, panels: int, enlarge: bool = True) -> np.ndarray:
    """Bring a frame to the size that it is drawn at, `panels` times beside each other."""
    height, width = frame.shape[:2]
    room = (LARGEST_SIDE - (panels - 1) * PANEL_GAP) // panels
    shrink = min(LARGEST_SIDE / height, room / width)
    if shrink < 1:
        size = max(round(width * shrink), 1), max(round(height * shrink), 1)
        return cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    factor = min(-(-_SMALLEST_PANEL // min(height, width)), _ENLARGED_SIDE // max(height, width))
    if not enlarge or factor <= 1:
        return frame
    return cv2.resize(frame, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)


def at_size(levels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bring a map to a size: the mean where it shrinks, bilinear where it grows."""
    small = min(levels.shape[1], width), min(levels.shape[0], height)
    levels = cv2.resize(levels, small, interpolation=cv2.INTER_AREA)
    return cv2.resize(levels, (width, height), interpolation=cv2.INTER_LINEAR)


def layered(frame: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Lay a map over a frame: the higher it is, the more it covers."""
    picture = cv2.applyColorMap(levels, _LEFT)
    cv2.multiply(frame, picture, dst=picture, scale=1 / 255)  # in place: a sixth less at 4K
    return cv2.add(picture, cv2.applyColorMap(levels, _LAYER), dst=picture)


def half(frame: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Mix a frame and its map half and half."""
    return cv2.addWeighted(frame, 0.5, heat_colours(levels), 0.5, 0)


def outline(picture: np.ndarray, levels: np.ndarray, level: int) -> None:
    """Draw the border of what is above the level, in white between black."""
    _, above = cv2.threshold(levels, level, 255, cv2.THRESH_BINARY)
    contours, _ = cv2.findContours(above, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    line = max(thickness(picture) // 2, 1)
    cv2.drawContours(picture, contours, -1, _EDGE, line + 2)
    cv2.drawContours(picture, contours, -1, _CONTOUR, line)


def thickness(picture: np.ndarray) -> int:
    """Return how thick lines are in a picture of this size, pixels."""
    height, width = picture.shape[:2]
    return max(round((height * width) ** 0.5 / 250), 1)


def rectangle(
    picture: np.ndarray, box: np.ndarray, colour: Colour, line: int, edged: bool = False
) -> Area:
    """Draw a box, x0, y0, x1, y1, inside its edges; return the pixels that it takes."""
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = box.round().astype(int).tolist()
    x0, y0 = min(max(x0, 0), width - 1), min(max(y0, 0), height - 1)
    x1, y1 = max(min(x1, width), x0 + 1), max(min(y1, height), y0 + 1)
    if edged:
        _frame(picture, x0 - 1, y0 - 1, x1 + 1, y1 + 1, _EDGE, line + 2)
    _frame(picture, x0, y0, x1, y1, colour, line)
    return x0, y0, x1, y1


def _frame(
    picture: np.ndarray, x0: int, y0: int, x1: int, y1: int, colour: Colour, line: int
) -> None:
    x0, y0 = max(x0, 0), max(y0, 0)
    across, down = min(line, x1 - x0), min(line, y1 - y0)
    picture[y0 : y0 + down, x0:x1] = picture[y1 - down : y1, x0:x1] = colour
    picture[y0:y1, x0 : x0 + across] = picture[y0:y1, x1 - across : x1] = colour


def paste(picture: np.ndarray, plate: np.ndarray, left: int, top: int, taken: list[Area]) -> bool:
    """Put a plate where it is wanted, or as near as it is whole, unless it hides what is there.

    Args:
      picture: changed in place.
      plate: what to put there; one that is higher than the picture is left out.
      left, top: where its corner is to be.
      taken: where others are; this one is added.

    Returns:
      Whether it is there.
    """
    height, width = plate.shape[:2]
    left = max(min(left, picture.shape[1] - width), 0)
    top = max(min(top, picture.shape[0] - height), 0)
    right, bottom = left + width, top + height
    if bottom > picture.shape[0] or any(
        left < x1 and x0 < right and top < y1 and y0 < bottom for x0, y0, x1, y1 in taken
    ):
        return False
    picture[top:bottom, left:right] = plate
    taken.append((left, top, right, bottom))
    return True


def beside(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Put two pictures of one height beside each other."""
    gap = np.full((len(left), PANEL_GAP, 3), BACKGROUND, np.uint8)
    return np.hstack([left, gap, right])
