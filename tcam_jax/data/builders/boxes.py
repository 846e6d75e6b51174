"""The rules for boxes: inside their image, corners in order, some area."""

from collections.abc import Iterable

import numpy as np

from tcam_jax.data.builders.findings import Finding
from tcam_jax.data.builders.sources import SourceBox


def check_boxes(
    boxes: Iterable[SourceBox], width: int, height: int
) -> tuple[np.ndarray, list[Finding]]:
    """The usable boxes of one frame of `width` x `height` pixels.

    Swapped corners are put in order; a box is clipped to 0..width, 0..height; one that then has no
    area, or is no set of finite numbers, is left out.

    Returns:
        float32 `[boxes, 4]` x0, y0, x1, y1 in pixels, and what was changed or left out.
    """
    usable, findings = [], []
    for where, corners in boxes:
        if not np.isfinite(corners).all():
            findings.append(Finding("box_malformed", where, f"got {tuple(corners)}"))
            continue
        x0, y0, x1, y1 = corners
        ordered = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
        inside = tuple(np.clip(ordered, 0, [width, height, width, height]).tolist())
        if inside[0] >= inside[2] or inside[1] >= inside[3]:
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
