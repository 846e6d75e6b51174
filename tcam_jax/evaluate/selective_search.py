"""The proposal of selective search that most looks like an object: no label and no network.

Proposals: Uijlings et al., "Selective Search for Object Recognition", IJCV 104(2), 2013, as the
contributed modules of OpenCV have it. Murtaza et al., "A Realistic Protocol for Evaluation of
Weakly Supervised Object Localization", WACV 2025, select models by boxes of such proposals. Which
one is taken is our own choice: the one with the largest product of

- agreement: its mean IoU with all proposals, which lie closely about salient things; and
- contrast: the chi-squared distance between the colours (CIELAB) within it and around it (Alexe et
  al., "Measuring the Objectness of Image Windows", TPAMI 34(11), 2012).
"""

from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from tcam_jax.evaluate.corloc import iou
from tcam_jax.evaluate.small_frame import Frame, Neighbours, enlarge, no_box, shrink
from tcam_jax.runtime.errors import InputError

SIZE = 160
"""The longer side at which proposals are looked for, pixels."""

_SMALLEST, _LARGEST = 0.05, 0.7  # shares of the frame that a proposal may take
_RING = 0.2  # width of what is around it, of its own width and height
_BINS = (4, 8, 8)  # of L, a and b


def check_selective_search() -> None:
    """Refuse an OpenCV without selective search.

    Raises:
      InputError: says what to install.
    """
    if not hasattr(cv2, "ximgproc"):
        raise InputError(
            'eval.select_by="selective_search" needs OpenCV\'s contributed modules, which this '
            "OpenCV lacks: pip uninstall opencv-python-headless; pip install "
            'opencv-contrib-python-headless. Or take "motion" or "cam".'
        )


def selective_search_boxes(frame: Frame, neighbours: Neighbours) -> Float[np.ndarray, "n 4"]:
    """Find one proposal of a frame, RGB; its neighbours are not looked at.

    Returns:
      float32 [n, 4], n of 0 or 1: x0, y0, x1, y1 in pixels of the frame, both corners inside.

    Raises:
      InputError: see `check_selective_search`.
    """
    check_selective_search()
    small = shrink(frame, SIZE)
    boxes = _proposals(small)
    if not len(boxes):
        return no_box()
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    contrast = np.array([_contrast(lab, box) for box in boxes])
    best = boxes[(contrast * iou(boxes, boxes).mean(axis=1)).argmax()]
    return enlarge(best, small, frame)


def _proposals(image: UInt8[np.ndarray, "h w 3"]) -> Int[np.ndarray, "n 4"]:
    contributed: Any = cv2  # type checkers know the plain one
    search = contributed.ximgproc.segmentation.createSelectiveSearchSegmentation()
    search.setBaseImage(np.ascontiguousarray(image[..., ::-1]))
    search.switchToSelectiveSearchFast()
    rectangles = np.asarray(search.process(), np.int64).reshape(-1, 4)
    boxes = rectangles.copy()
    boxes[:, 2:] += boxes[:, :2] - 1
    height, width = image.shape[:2]
    share = rectangles[:, 2] * rectangles[:, 3] / (height * width)
    edges = (boxes[:, :2] <= 0).sum(1) + (boxes[:, 2:] >= [width - 1, height - 1]).sum(1)
    return boxes[(share >= _SMALLEST) & (share <= _LARGEST) & (edges < 3)]


def _contrast(lab: UInt8[np.ndarray, "h w 3"], box: Int[np.ndarray, "4"]) -> float:
    x0, y0, x1, y1 = box
    dx, dy = round(_RING * (x1 - x0 + 1)), round(_RING * (y1 - y0 + 1))
    inside = _colours(lab[y0 : y1 + 1, x0 : x1 + 1])
    around = _colours(lab[max(y0 - dy, 0) : y1 + dy + 1, max(x0 - dx, 0) : x1 + dx + 1]) - inside
    p, q = inside / inside.sum(), around / max(around.sum(), 1)
    return float(((p - q) ** 2 / np.maximum(p + q, 1e-9)).sum())


def _colours(lab: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "bins"]:
    return cv2.calcHist([lab], [0, 1, 2], None, list(_BINS), [0, 256] * 3).ravel()
