"""Pictures to look at: a frame with its boxes beside the frame under its localisation map."""

import cv2
import numpy as np
from jaxtyping import Num, UInt8
from PIL import Image, ImageDraw, ImageFont

TRUTH_COLOUR = (0, 255, 0)
PREDICTION_COLOUR = (255, 0, 0)
_OUTLINE_COLOUR = (255, 255, 255)
NO_BOXES = np.zeros((0, 4))

TITLE_HEIGHT = 20
PANEL_GAP = 4
_BACKGROUND = (24, 24, 24)
_LINE_WIDTH = 2
_SMALLEST_PANEL = 192  # A 96-pixel frame is unreadable, and its title would not fit, at true size.

# From low to high: dark blue, blue, cyan, yellow, red, dark red, as class activation maps are shown
# throughout their literature.
_HEAT = ((0, 0, 96), (0, 0, 255), (0, 255, 255), (255, 255, 0), (255, 0, 0), (128, 0, 0))
_COLOURS = np.stack(
    [
        np.interp(np.arange(256), np.linspace(0, 255, len(_HEAT)), c)
        for c in zip(*_HEAT, strict=True)
    ],
    axis=-1,
)
_COLOURS = _COLOURS.round().astype(np.uint8)  # of each level


def heat_colours(levels: UInt8[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Colours of a map: dark blue at 0 over cyan and yellow to dark red at 255.

    Args:
      levels: uint8 [h, w], a quantised map.

    Returns:
      uint8 [h, w, 3], RGB.
    """
    return _COLOURS[levels]


def draw_panels(
    frame: UInt8[np.ndarray, "h w 3"],
    levels: UInt8[np.ndarray, "_ _"],
    truth: Num[np.ndarray, "g 4"],
    predicted: Num[np.ndarray, "p 4"],
    level: int | None = None,
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw one frame: on the left with its boxes, on the right blended with its map.

    True boxes are green; predicted ones are red and drawn last. Small frames are enlarged by a
    whole factor.

    Args:
      frame: uint8 [h, w, 3], RGB, 0..255.
      levels: uint8 [h, w], the quantised map, of the frame's size.
      truth: [g, 4], true boxes x0, y0, x1, y1 in pixels of the frame, corners included; g may be 0.
      predicted: [p, 4] likewise; p may be 0.
      level: what lies above it is outlined in white on the map; None: nothing is.

    Returns:
      uint8 [s * h, 2 * s * w + PANEL_GAP, 3] with the enlargement s >= 1.

    Raises:
      ValueError: the map has not the frame's size.
    """
    height, width = frame.shape[:2]
    if levels.shape != (height, width):
        raise ValueError(
            f"expected a map of the frame's size {(height, width)}, got {levels.shape}; "
            "resize the map to the frame first"
        )
    scale = max(1, -(-_SMALLEST_PANEL // min(height, width)))
    blend = (frame.astype(np.uint16) + heat_colours(levels)) // 2
    left = Image.fromarray(_enlarge(frame, scale))
    draw = ImageDraw.Draw(left)
    for box in truth:
        _rectangle(draw, box, scale, TRUTH_COLOUR)
    for box in predicted:
        _rectangle(draw, box, scale, PREDICTION_COLOUR)
    gap = np.full((left.height, PANEL_GAP, 3), _BACKGROUND, np.uint8)
    right = _enlarge(blend.astype(np.uint8), scale)
    if level is not None:
        above = _enlarge((levels > level).astype(np.uint8), scale)
        outlines, _ = cv2.findContours(above, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        right = cv2.drawContours(right, outlines, -1, _OUTLINE_COLOUR, 1)
    return np.hstack([np.asarray(left), gap, right])


def draw_overlay(
    frame: UInt8[np.ndarray, "h w 3"],
    levels: UInt8[np.ndarray, "_ _"],
    truth: Num[np.ndarray, "g 4"],
    predicted: Num[np.ndarray, "p 4"],
    title: str,
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw one frame under a title; a title that is too long is cut.

    Args:
      frame, levels, truth, predicted: as of `draw_panels`.
      title: one line above the panels.

    Returns:
      uint8, the panels and TITLE_HEIGHT rows above them.

    Raises:
      ValueError: the map has not the frame's size.
    """
    panels = draw_panels(frame, levels, truth, predicted)
    strip = Image.new("RGB", (panels.shape[1], TITLE_HEIGHT), _BACKGROUND)
    ImageDraw.Draw(strip).text((4, 3), title, fill="white", font=ImageFont.load_default(12))
    return np.vstack([np.asarray(strip), panels])


def contact_sheet(images: list[np.ndarray], columns: int) -> UInt8[np.ndarray, "height width 3"]:
    """Arrange pictures in a grid, in reading order.

    Args:
      images: uint8 [h, w, 3] each, RGB; sizes may differ, the largest gives the cells'.
      columns: pictures in a row.

    Returns:
      uint8 [rows * (cell height + PANEL_GAP) - PANEL_GAP, likewise for the width, 3].

    Raises:
      ValueError: there is no picture, or no column.
    """
    if not images or columns < 1:
        raise ValueError(
            f"expected at least one picture and one column, got {len(images)} and {columns}"
        )
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    pitch_y = max(image.shape[0] for image in images) + PANEL_GAP
    pitch_x = max(image.shape[1] for image in images) + PANEL_GAP
    sheet = np.empty((rows * pitch_y - PANEL_GAP, columns * pitch_x - PANEL_GAP, 3), np.uint8)
    sheet[:] = _BACKGROUND
    for index, image in enumerate(images):
        top, left = index // columns * pitch_y, index % columns * pitch_x
        sheet[top : top + image.shape[0], left : left + image.shape[1]] = image
    return sheet


def _enlarge(image: np.ndarray, scale: int) -> np.ndarray:
    return image.repeat(scale, axis=0).repeat(scale, axis=1)


def _rectangle(
    draw: ImageDraw.ImageDraw, box: np.ndarray, scale: int, colour: tuple[int, int, int]
) -> None:
    x0, y0, x1, y1 = (int(corner) * scale for corner in box)
    # Corners are pixels that belong to the box, so the far ones end with their last subpixel.
    far = scale - 1
    draw.rectangle((x0, y0, x1 + far, y1 + far), outline=colour, width=_LINE_WIDTH)
