"""One source frame, read and decoded once as a check: kept as it is, repaired, or skipped."""

import hashlib
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from tcam_jax.data.builders.boxes import check_boxes
from tcam_jax.data.builders.findings import Finding
from tcam_jax.data.builders.sources import SourceFrame
from tcam_jax.data.decode import decode_jpeg, resize
from tcam_jax.data.pictures import MOST_BYTES, open_image, others_in, to_rgb
from tcam_jax.runtime.plain_files import read_bytes

REPAIR_QUALITY = 95  # of every JPEG that is written here, with full colour resolution
_EXIF_ORIENTATION = 0x0112


class CheckedFrame(NamedTuple):
    """A frame as it is stored: a JPEG that decodes; the source's size in pixels; boxes inside it.

    `boxes` float32 `[boxes, 4]`. A shrunk `jpeg` leaves `width`, `height` and `boxes` as they were.
    `source_digest`: of the source's bytes, to find frames that come twice.
    """

    frame_id: str
    source_digest: bytes
    jpeg: bytes
    width: int
    height: int
    boxes: np.ndarray


def check_frame(
    frame: SourceFrame, shrink_to: int | None = None
) -> tuple[CheckedFrame | None, list[Finding]]:
    """Reads and decodes one frame; None where it cannot be used. Safe to call from many threads.

    Args:
        frame: what to read.
        shrink_to: store the frame as a square of this many pixels instead of its own bytes.
    """
    content, kinds = _content(frame.source)
    jpeg, pixels = b"", None
    if content:
        jpeg, pixels, kinds = _usable_jpeg(content)
    findings = [Finding(kind, frame.where, detail) for kind, detail in kinds]
    if pixels is None:
        lost = [Finding("box_without_frame", box.where, frame.where) for box in frame.boxes]
        return None, findings + lost
    height, width = pixels.shape[:2]
    boxes, box_findings = check_boxes(frame.boxes, width, height)
    if shrink_to is not None:
        jpeg = _encode(Image.fromarray(resize(pixels, shrink_to)))
    digest = hashlib.sha256(content).digest()
    checked = CheckedFrame(frame.frame_id, digest, jpeg, width, height, boxes)
    return checked, findings + box_findings


def _content(source: Path | bytes) -> tuple[bytes, list[tuple[str, str]]]:
    """The source's bytes, and what was found: (kind, detail)."""
    try:
        content = source if isinstance(source, bytes) else read_bytes(source, MOST_BYTES)
    except OSError as error:
        return b"", [("unreadable", str(error.strerror or error))]
    return content, [] if content else [("zero_bytes", "")]


def _usable_jpeg(content: bytes) -> tuple[bytes, np.ndarray | None, list[tuple[str, str]]]:
    """The bytes to store, their pixels, and what was found: (kind, detail)."""
    kinds: list[tuple[str, str]] = []
    try:
        with open_image(io.BytesIO(content)) as image:
            if others := others_in(image):
                kinds.append(("several_pictures", others))
            repairs = _repairs(image)
            if repairs:
                upright, notes = to_rgb(image)
                content = _encode(upright)
                repairs[0] = (repairs[0][0], "; ".join(filter(None, [repairs[0][1], *notes])))
            elif image.mode == "L":
                kinds.append(("grey", ""))
            if "progressive" in image.info:
                kinds.append(("progressive", ""))
        return content, decode_jpeg(content), repairs + kinds
    except UnidentifiedImageError:
        return b"", None, [("undecodable", "its beginning is that of no known image format")]
    except Exception as error:  # Pillow's decoders raise many types
        return b"", None, [("undecodable", str(error))]


def _repairs(image: Image.Image) -> list[tuple[str, str]]:
    repairs = []
    # MPO: a JPEG followed by more pictures, as cameras write it; decoders read the first.
    if image.format not in ("JPEG", "MPO"):
        repairs.append(("not_jpeg", f"it is {image.format}"))
    if image.mode == "CMYK":
        repairs.append(("cmyk", ""))
    if image.getexif().get(_EXIF_ORIENTATION, 1) not in (0, 1):
        repairs.append(("exif_rotated", ""))
    return repairs


def _encode(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=REPAIR_QUALITY, subsampling=0)
    return file.getvalue()
