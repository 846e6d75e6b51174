"""Boxes judged together: what no single box shows, that all are written in another way."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from tcam_jax.data.builders.findings import Finding, Findings
from tcam_jax.data.builders.sources import SourceBox
from tcam_jax.data.builders.video_folder.named_boxes import BoxFile
from tcam_jax.data.pictures import open_image
from tcam_jax.runtime.errors import InputError

_BEYOND = 0.1  # by which shares of a frame may leave it
_LOOKED_AT = 2000  # frames whose size is read; spread evenly over all with boxes
_MISFITS = (
    0.1  # share of boxes that do not fit their frames from which on another way is thought of
)
_ROUNDING = 1  # pixels by which a box that fits may leave its frame

_MANY, _PER_CENT = 10, 100  # boxes that may all be small and at the top left by chance

_CORNERS, _SIZES = "x0, y0, x1, y1", "x, y, width, height"
_Way = tuple[Callable[[float, float, float, float], tuple[float, float, float, float]], str]
# Numbers a, b, c, d are read as corners, or as sizes: then c and d are a + width, b + height. Of
# each other way the corners that they would be, and what to write instead of the numbers.
_OTHER_WAYS: dict[str, dict[str, _Way]] = {
    "corners": {
        _SIZES: (lambda a, b, c, d: (a, b, a + c, b + d), "x0, y0, x0 + width, y0 + height"),
        "y0, x0, y1, x1": (lambda a, b, c, d: (b, a, d, c), _CORNERS),
        "centre and size": (
            lambda a, b, c, d: (a - c / 2, b - d / 2, a + c / 2, b + d / 2),
            "x - width / 2, y - height / 2, x + width / 2, y + height / 2",
        ),
    },
    "sizes": {
        _CORNERS: (lambda a, b, c, d: (a, b, c - a, d - b), "x0, y0, x1 - x0, y1 - y0"),
        "centre and size": (
            lambda a, b, c, d: (a - (c - a) / 2, b - (d - b) / 2, (a + c) / 2, (b + d) / 2),
            "x - width / 2, y - height / 2, width, height",
        ),
    },
}
_EXIF_ORIENTATION, _EXIF_TURNED = 0x0112, (5, 6, 7, 8)


def without_shares(file: BoxFile, findings: Findings) -> BoxFile:
    """The boxes that are in pixels; the few others are noted.

    Raises:
        InputError: the boxes are shares of the frame's width and height, not pixels: all lie
            between 0 and 1 or so, or half of them do with fractions. A box of one pixel among
            others is none.
    """
    if not file.boxes:
        return file
    corners = np.array([named.box.corners for named in file.boxes])
    like_shares = ((corners >= -_BEYOND) & (corners <= 1 + _BEYOND)).all(axis=1)
    certain = like_shares & (corners != corners.round()).any(axis=1)
    if like_shares.all() or 2 * certain.sum() >= len(corners):
        first = file.boxes[int(np.argmax(like_shares))].box
        raise InputError(
            f"{file.path}: expected boxes in pixels, got {like_shares.sum()} of {len(corners)} "
            f"between 0 and 1, as shares of the frame's width and height are (the first: "
            f"{first.where}, {_written(first.corners)}); multiply x by the frame's width and y by "
            "its height"
        )
    for place in np.flatnonzero(certain):
        box = file.boxes[place].box
        findings.add(Finding("box_share", box.where, f"got {_written(box.corners)}"))
    kept = [named for named, share in zip(file.boxes, certain, strict=True) if not share]
    return file._replace(boxes=kept)


def compare_conventions(
    file: BoxFile,
    boxes: Mapping[str, Sequence[SourceBox]],
    images: Mapping[str, Path],
    findings: Findings,
) -> None:
    """Notes it if most boxes fit their frames only when read in another way, or seem per cent.

    Args:
        file: where the boxes are from, and how its numbers were read.
        boxes: of every frame, as they were read.
        images: the files of the frames.
        findings: where it is noted, once.
    """
    if file.numbers == "named":
        return
    ways = _OTHER_WAYS[file.numbers]
    fit_otherwise = dict.fromkeys(ways, 0)
    looked_at, fit_as_read, most, least_side = 0, 0, 0.0, float("inf")
    frames = list(boxes)
    for frame in frames[:: -(-len(frames) // _LOOKED_AT) or 1]:
        size = boxes[frame][0].size or _upright_size(images[frame])
        if size is None:  # noted when the frame is read
            continue
        for box in boxes[frame]:
            looked_at += 1
            fit_as_read += _fits(box.corners, size)
            for name, (read, _) in ways.items():
                fit_otherwise[name] += _fits(read(*box.corners), size)
            most, least_side = max(most, *box.corners), min(least_side, *size)
    otherwise = max(ways, key=lambda name: fit_otherwise[name])  # of two as good, the more usual
    misfits, misfits_otherwise = looked_at - fit_as_read, looked_at - fit_otherwise[otherwise]
    as_read = _CORNERS if file.numbers == "corners" else _SIZES
    detail = ""
    # A swapped corner or two are mistakes of their own.
    if misfits >= max(2, _MISFITS * looked_at) and 4 * misfits_otherwise <= misfits:
        detail = (
            f"expected {as_read}: {fit_as_read} of {looked_at} boxes looked at fit their frames "
            f"so, and {fit_otherwise[otherwise]} as {otherwise}; if they are the latter, write "
            f"{ways[otherwise][1]}"
        )
    elif looked_at >= _MANY and _PER_CENT / 2 < most <= _PER_CENT and least_side > 3 * _PER_CENT:
        detail = (
            f"expected pixels: all {looked_at} boxes looked at end at {most:g} or before, in "
            f"frames of {least_side:g} and more; if they are per cent of the frame, multiply x by "
            "its width / 100 and y by its height / 100"
        )
    if detail:
        findings.add(Finding("boxes_convention", str(file.path), detail))


def _fits(corners: tuple[float, float, float, float], size: tuple[int, int]) -> bool:
    x0, y0, x1, y1 = corners
    right, bottom = size[0] + _ROUNDING, size[1] + _ROUNDING
    return -_ROUNDING <= x0 < x1 <= right and -_ROUNDING <= y0 < y1 <= bottom


def _upright_size(file: Path) -> tuple[int, int] | None:
    """Width and height of an image as it is shown, from its header; None if it has none."""
    try:
        with open_image(file) as image:
            turned = image.getexif().get(_EXIF_ORIENTATION) in _EXIF_TURNED
            return (image.height, image.width) if turned else image.size
    except Exception:  # Pillow raises many types
        return None


def _written(corners: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in corners)
