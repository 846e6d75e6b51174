"""Files whose frames have times: videos, and images that move (GIF, APNG, WebP, AVIF)."""

import os
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path

import numpy as np
from PIL import Image

from tcam_jax.data import video
from tcam_jax.data.pictures import open_image, to_rgb
from tcam_jax.data.video import BadVideo, VideoFrame

_MAY_MOVE = (".gif", ".png", ".apng", ".webp", ".avif")


def is_video(path: Path) -> bool:
    """Tell whether a file is read as a video: by its suffix, or because it is an image that moves.

    A GIF, PNG, WebP or AVIF is opened to see; a still one, or one that cannot be read, is none.
    """
    if not _may_move(path):
        return path.suffix.lower() in video.SUFFIXES
    try:
        with open_image(path) as image:
            return bool(getattr(image, "is_animated", False))
    except Exception:  # Pillow's decoders raise many types; said when it is read as an image
        return False


def read_film(path: Path, stride: int = 1) -> Iterator[VideoFrame]:
    """The frames 0, stride, 2 * stride … of a file that `is_video`; one at a time.

    Raises:
      BadVideo: as of `video.read_video`, after the frames that can be had.
    """
    return _animation(path, stride) if _may_move(path) else video.read_video(path, stride)


def _may_move(path: Path) -> bool:
    return path.suffix.lower() in _MAY_MOVE


def _animation(path: Path, stride: int) -> Iterator[VideoFrame]:
    """By Pillow: FFmpeg reads no animated WebP."""
    index, seconds = 0, 0.0
    try:
        with path.open("rb") as file, open_image(file) as image:
            # An APNG may begin with a picture for those who cannot show what moves.
            number = int(getattr(image, "default_image", False))
            while _seek(image, number):
                image.load()
                # As browsers do it: 10 ms and less stand for "none given".
                milliseconds = image.info.get("duration", 0)
                duration = (milliseconds if milliseconds > 10 else 100) / 1000
                if index % stride == 0:
                    yield VideoFrame(
                        index=index,
                        seconds=seconds,
                        duration=duration,
                        image=np.asarray(to_rgb(image).image),
                    )
                index, seconds, number = index + 1, seconds + duration, number + 1
            # A GIF does not say how many frames it has, but ends in a semicolon.
            if image.format == "GIF" and not _has_passed(file, b";"):
                raise BadVideo("it breaks off")
    except BadVideo:
        raise
    # What the caller does with a frame raises at the caller, so these are the file's faults.
    except Exception as error:  # Pillow's decoders raise many types
        raise BadVideo(f"it is damaged ({error})") from error


def _seek(image: Image.Image, number: int) -> bool:
    try:
        image.seek(number)
    except EOFError:
        return False
    return True


def _has_passed(file: BufferedIOBase, end: bytes) -> bool:
    file.seek(-1, os.SEEK_CUR)
    return file.read(1) == end
