"""Frames of a camera of this machine, as they come."""

import re
import time
from collections.abc import Iterator

import cv2

from tcam_jax.predict.frame_source import SourceFrame
from tcam_jax.runtime.errors import InputError


def camera_number(name: str) -> int | None:
    """The number in "camera:0"; None for another name."""
    found = re.fullmatch(r"camera:(\d+)", name)
    return int(found[1]) if found else None


def read_camera(number: int) -> Iterator[SourceFrame]:
    """Yield what OpenCV's camera of this number sees, until the caller stops.

    `seconds` count from the first frame's arrival. Frames that the caller is too slow for are
    dropped or wait in the driver, as it pleases.

    Raises:
      InputError: there is no such camera, or it gives no frame; or, after its frames, it gives no
        more.
    """
    logging = getattr(cv2.utils, "logging", cv2)  # OpenCV 4 has it in the open
    level = logging.setLogLevel(0)  # silent: it says what we say ourselves
    capture = cv2.VideoCapture(number)
    logging.setLogLevel(level)
    try:
        if not capture.isOpened():
            raise InputError(
                f"camera:{number} cannot be opened: there is no such camera, another program has "
                "it, or it may not be used; the first camera is camera:0."
            )
        index, start = 0, 0.0
        while True:
            there, image = capture.read()
            if not there:
                got = f"gives no more frames after {index}" if index else "gives no frame"
                raise InputError(f"camera:{number} {got}.")
            now = time.monotonic()
            start = start or now
            yield SourceFrame(index, now - start, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
            index += 1
    finally:
        capture.release()
