"""Frames of files that are in no dataset: images and videos, one at a time, faults told apart."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tcam_jax.data import pictures, video
from tcam_jax.data.animation import is_video, read_film
from tcam_jax.data.folder_walk import LeftOut, in_words, walk
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.plain_files import other_kind

SUFFIXES = (*pictures.SUFFIXES, *video.SUFFIXES)


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


class Found(NamedTuple):
    """Files to predict, in natural order, and what was left out beside them.

    `folder_walk.in_words` makes a line of the latter.
    """

    files: list[Path]
    left_out: list[LeftOut]


def has_known_suffix(path: Path) -> bool:
    """Whether the file's name is that of an image or a video."""
    return path.suffix.lower() in SUFFIXES


def find_files(source: Path) -> Found:
    """Return the file `source`, or the images and videos at any depth below the folder `source`.

    Raises:
      InputError: there is none.
    """
    if source.is_file():
        return Found([source], [])
    kind = other_kind(source)
    if kind and not source.is_dir():
        raise InputError(
            f"{source} must be an image, a video, or a folder that holds some; it is {kind}: write "
            "what comes out of it into a file (a camera is camera:0)."
        )
    files, left_out = walk(source) if source.is_dir() else ([], [])
    left_out += [LeftOut(file, "other_kind") for file in files if not has_known_suffix(file)]
    files = [file for file in files if has_known_suffix(file)]
    if not files:
        instead = in_words(left_out, source) or "there is nothing"
        raise InputError(
            f"{source} must be an image, a video, or a folder that holds some "
            f"({' '.join(SUFFIXES)}); none was found: {instead}."
        )
    return Found(files, left_out)


def read_frames(
    path: Path, stride: int, report: Callable[[Path, str], None]
) -> Iterator[SourceFrame]:
    """Yield an image, or the frames 0, stride, 2 * stride … of a video or an image that moves.

    Args:
      path: a file; one that is no video, see `is_video`, is read as an image.
      stride: of a video's frames.
      report: is told of a file that cannot be read, or not to its end, and why.
    """
    try:
        if is_video(path):
            for frame in read_film(path, stride):
                yield SourceFrame(frame.index, frame.seconds, frame.image)
        else:
            with pictures.open_image(path) as image:
                others = pictures.others_in(image)
                pixels = np.asarray(pictures.to_rgb(image).image)
            yield SourceFrame(0, None, pixels)
            if others:
                report(path, others)
    except video.BadVideo as error:
        report(path, str(error))
    # Pillow's decoders raise many types; what the caller does with a frame raises at the caller.
    except Exception as error:
        report(path, f"cannot be read as an image ({error}){_hint(path)}")


def _hint(path: Path) -> str:
    if has_known_suffix(path):
        return ""
    return f"; videos are known by their suffix, {' '.join(video.SUFFIXES)}"
