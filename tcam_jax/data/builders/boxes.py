"""The rules for boxes: inside their image, corners in order, some area."""

from collections.abc import Iterable

import numpy as np

from tcam_jax.data.builders.findings import Finding
from tcam_jax.data.builders.sources import SourceBox

_SAME_SHAPE = 0.01  # by which width / height may differ for boxes to be rescaled


def check_boxes(
    boxes: Iterable[SourceBox], width: int, height: int
) -> tuple[np.ndarray, list[Finding]]:
    """The usable boxes of one frame of `width` x `height` pixels.

    A box that was drawn on another size of the frame is rescaled, if the shape is the same, and
    left out otherwise. Swapped corners are put in order; a box is clipped to 0..width, 0..height;
    one that then has no area, or is no set of finite numbers, is left out.

    Returns:
        float32 `[boxes, 4]` x0, y0, x1, y1 in pixels, and what was changed or left out.
    """
    usable, findings = [], []
    for where, corners, size in boxes:
        if not np.isfinite(corners).all():
            findings.append(Finding("box_malformed", where, f"got {tuple(corners)}"))
            continue
        if size is not None and size != (width, height):
            across, down = width / size[0], height / size[1]
            detail = f"for {size[0]} x {size[1]} pixels, the image has {width} x {height}"
            if abs(across / down - 1) > _SAME_SHAPE:
                findings.append(Finding("box_other_size", where, detail))
                continue
            findings.append(Finding("box_rescaled", where, detail))
            corners = tuple((np.array(corners) * [across, down, across, down]).tolist())
        x0, y0, x1, y1 = corners
        ordered = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
        inside = tuple(np.clip(ordered, 0, [width, height, width, height]).tolist())
        # As it is stored: a millionth of a pixel is no width there.
        stored = np.float32(inside)
        if stored[0] >= stored[2] or stored[1] >= stored[3]:
            detail = f"got {tuple(corners)}, the image has {width} x {height} pixels"
            findings.append(Finding("box_empty", where, detail))
            continue
        if ordered != tuple(corners):
            findings.append(Finding("box_inverted", where, f"got {tuple(corners)}"))
        if inside != ordered:
            detail = f"got {tuple(corners)}, the image has {width} x {height} pixels"
            findings.append(Finding("box_clipped", where, detail))
        usable.append(inside)
    return np.array(usable, np.float32).reshape(-1, 4), findings
