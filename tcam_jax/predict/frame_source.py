"""Frames of files that are in no dataset: images and videos, one at a time, faults told apart."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from tcam_jax.data import video
from tcam_jax.runtime.errors import InputError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
SUFFIXES = (*IMAGE_SUFFIXES, *video.SUFFIXES)


class SourceFrame(NamedTuple):
    """One frame.

    Attributes:
      index: its number in its file, from 0.
      seconds: when it is shown; None for an image.
      image: RGB, uint8 `[h, w, 3]`, turned upright as a viewer shows it.
    """

    index: int  # type: ignore[assignment]  # hides `tuple.index`
    seconds: float | None
    image: np.ndarray


def is_video(path: Path) -> bool:
    """Tell by its suffix whether a file is read as a video."""
    return path.suffix.lower() in video.SUFFIXES


def find_files(source: Path) -> list[Path]:
    """Return the file `source`, or the images and videos at any depth below the folder `source`.

    Raises:
      InputError: there is none.
    """
    if source.is_file():
        return [source]
    found = sorted(
        path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()
    )
    if not found:
        raise InputError(
            f"{source} must be an image, a video, or a folder that holds some "
            f"({', '.join(SUFFIXES)}); none was found."
        )
    return found


def read_frames(
    path: Path, stride: int, report: Callable[[Path, str], None]
) -> Iterator[SourceFrame]:
    """Yield an image, or the frames 0, stride, 2 * stride … of a video.

    Args:
      path: a file; one whose suffix is not a video's is read as an image.
      stride: of a video's frames.
      report: is told of a file that cannot be read, or not to its end, and why.
    """
    try:
        if is_video(path):
            for index, seconds, _, image in video.read_video(path, stride):
                yield SourceFrame(index, seconds, image)
        else:
            yield SourceFrame(0, None, _read_image(path))
    except video.BadVideo as error:
        report(path, str(error))
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        report(path, f"cannot be read as an image ({error})")


def _read_image(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
