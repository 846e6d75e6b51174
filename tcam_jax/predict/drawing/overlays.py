"""Pictures to look at: a frame under its localisation map, with boxes, labels and contours."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Num, UInt8

from tcam_jax.predict.drawing.fonts import drawable
from tcam_jax.predict.drawing.labels import label
from tcam_jax.predict.drawing.strokes import (
    BACKGROUND,
    PANEL_GAP,
    Area,
    at_size,
    beside,
    half,
    layered,
    outline,
    paste,
    rectangle,
    resized,
    thickness,
)

if TYPE_CHECKING:
    from tcam_jax.predict.prediction import Prediction

TRUTH_COLOUR = (0, 255, 0)
PREDICTION_COLOUR = (255, 0, 0)
NO_BOXES = np.zeros((0, 4))

TITLE_HEIGHT = 20
_TITLE_PLATE = _NOTHING_PLATE = (200, 200, 200)
# Of boxes that are followed, by their number; none is a colour of the map. The first is for others.
_BOXES = ((0, 229, 255), (118, 255, 3), (255, 110, 255), (130, 170, 255), (0, 255, 170))


def draw(
    prediction: "Prediction", side_by_side: bool = False, enlarge: bool = True
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw a frame under its map, with the contour of the threshold, and the boxes' labels.

    A label says the class, what a box follows (#3), and its confidence. Lines and letters grow
    with the frame.

    Args:
      prediction: of the frame.
      side_by_side: draw the boxes on the bare frame, and the map beside it.
      enlarge: small frames by a whole factor.

    Returns:
      uint8, RGB, of the frame's size, or two of them beside each other with PANEL_GAP between;
      shrunk where a side would be longer than LARGEST_SIDE.
    """
    frame = resized(prediction.image, 2 if side_by_side else 1, enlarge)
    height, width = frame.shape[:2]
    levels = at_size(prediction.map, height, width)
    if side_by_side:
        left, right = frame.copy(), half(frame, levels)
    else:
        left = right = layered(frame, levels)
    outline(right, levels, prediction.level)
    _draw_boxes(left, prediction)
    return beside(left, right) if side_by_side else left


def draw_panels(
    frame: UInt8[np.ndarray, "h w 3"],
    levels: UInt8[np.ndarray, "_ _"],
    truth: Num[np.ndarray, "g 4"],
    predicted: Num[np.ndarray, "p 4"],
    level: int | None = None,
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw one frame: on the left with its boxes, on the right blended with its map.

    True boxes are green; predicted ones are red and drawn last. Small frames are enlarged by a
    whole factor, large ones shrunk to LARGEST_SIDE.

    Args:
      frame: uint8 [h, w, 3], RGB, 0..255.
      levels: uint8, the quantised map, of any size.
      truth: [g, 4], true boxes x0, y0, x1, y1 in pixels of the frame, corners included; g may be 0.
      predicted: [p, 4] likewise; p may be 0.
      level: what lies above it is outlined in white on the map; None: nothing is.

    Returns:
      uint8 [s * h, 2 * s * w + PANEL_GAP, 3] with the enlargement s.
    """
    drawn = resized(frame, 2)
    height, width = drawn.shape[:2]
    levels = at_size(levels, height, width)
    left, right = drawn.copy(), half(drawn, levels)
    scale = np.array([width / frame.shape[1], height / frame.shape[0]] * 2)
    line = max(thickness(drawn), 2)
    for boxes, colour in ((truth, TRUTH_COLOUR), (predicted, PREDICTION_COLOUR)):
        for box in boxes:
            # Corners are pixels that belong to the box, so the far ones end with their last one.
            rectangle(left, (np.floor(box) + [0, 0, 1, 1]) * scale, colour, line)
    if level is not None:
        outline(right, levels, level)
    return beside(left, right)


def draw_overlay(
    frame: UInt8[np.ndarray, "h w 3"],
    levels: UInt8[np.ndarray, "_ _"],
    truth: Num[np.ndarray, "g 4"],
    predicted: Num[np.ndarray, "p 4"],
    title: str,
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw the panels under a title, in any script; one that is too long is cut.

    Args:
      frame, levels, truth, predicted: as of `draw_panels`.
      title: one line above the panels.

    Returns:
      uint8, the panels and TITLE_HEIGHT rows above them.
    """
    panels = draw_panels(frame, levels, truth, predicted)
    strip = np.full((TITLE_HEIGHT, panels.shape[1], 3), _TITLE_PLATE, np.uint8)
    paste(strip, label(title, "", 14, _TITLE_PLATE, panels.shape[1]), 0, 0, [])
    return np.vstack([strip, panels])


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
    sheet[:] = BACKGROUND
    for index, image in enumerate(images):
        top, left = index // columns * pitch_y, index % columns * pitch_x
        sheet[top : top + image.shape[0], left : left + image.shape[1]] = image
    return sheet


def _draw_boxes(picture: np.ndarray, prediction: "Prediction") -> None:
    height, width = picture.shape[:2]
    name = drawable(prediction.class_name, prediction.class_index)
    size = max(round((height * width) ** 0.5 / 34), 11)
    if not prediction.boxes:
        text = f"{prediction.probability:.2f}, no box"
        paste(picture, label(name, text, size, _NOTHING_PLATE, width), 0, 0, [])
        return
    scale = np.tile(np.divide((width, height), prediction.size[::-1]), 2)
    tracks: Sequence[int | None] = prediction.tracks or [None] * len(prediction.boxes)
    colours = [_BOXES[0 if track is None else track % len(_BOXES)] for track in tracks]
    areas = [
        rectangle(picture, np.array(box) * scale, colour, thickness(picture), edged=True)
        for box, colour in reversed(list(zip(prediction.boxes, colours, strict=True)))
    ]  # the largest on top
    taken: list[Area] = []  # by labels
    found = zip(areas[::-1], prediction.confidences, tracks, colours, strict=True)
    for (left, top, _, bottom), confidence, track, colour in found:
        text = f"{confidence:.2f}" if track is None else f"#{track} {confidence:.2f}"
        plate = label(name, text, size, colour, width)
        # Above its box, inside, or below; one that would hide another's is left out.
        for row in (top - len(plate), top, bottom):
            if paste(picture, plate, left, row, taken):
                break
