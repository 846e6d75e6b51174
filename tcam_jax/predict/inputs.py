"""Whatever a user has, as frames: arrays, PIL images, paths, globs, and sequences of these."""

import os
import warnings
from collections.abc import Iterable, Iterator
from glob import glob
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from tcam_jax.predict.frame_source import SUFFIXES, find_files, read_frames
from tcam_jax.runtime.errors import InputError

Frame = np.ndarray | Image.Image
Input = Frame | str | Path
"""One frame; or an image, a video, a folder of them, or a glob, by its path."""


class InputFrame(NamedTuple):
    """One frame, and where it comes from.

    Attributes:
      file: its image or video; None for a frame in memory.
      frame: its number in its file, or among the frames in memory, from 0.
      time: when the video shows it, seconds; None for others.
      image: RGB, uint8 `[h, w, 3]`.
    """

    file: Path | None
    frame: int
    time: float | None
    image: np.ndarray


def frames_of(frames: Input | Iterable[Input]) -> Iterator[InputFrame]:
    """Yield all frames, one at a time.

    A file that cannot be read, or not to its end, is warned of (`UserWarning`) after the last frame
    that its path leads to.

    Args:
      frames: one array `[h, w, 3]`, a stack `[n, h, w, 3]`, a PIL image, a path, or an iterable of
        these. Arrays are RGB, uint8; "~" and globs ("in/*.jpg", "in/**/*.mp4") are expanded.

    Raises:
      InputError: a frame is of another kind, or a path leads to no frame; after all before it.
    """
    in_memory = 0
    for one in _several(frames):
        if isinstance(one, str | Path):
            yield from _of_path(one)
        elif isinstance(one, np.ndarray) and one.ndim == 4:
            for image in one:
                yield InputFrame(None, in_memory, None, _checked(image, in_memory))
                in_memory += 1
        else:
            yield InputFrame(None, in_memory, None, _checked(one, in_memory))
            in_memory += 1


def _several(frames: Input | Iterable[Input]) -> Iterable[Input]:
    if isinstance(frames, str | Path | np.ndarray | Image.Image):
        return [frames]
    if not isinstance(frames, Iterable):
        raise InputError(
            "frames must be an array of uint8 [h, w, 3] or [n, h, w, 3], a PIL image, a path, a "
            f"glob, or an iterable of these; got {type(frames).__name__}."
        )
    return frames


def _checked(one: object, number: int) -> np.ndarray:
    image = np.asarray(one.convert("RGB") if isinstance(one, Image.Image) else one)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise InputError(
            f"frames: number {number} must be RGB, uint8 [h, w, 3]; got {image.dtype} "
            f"{image.shape}. Convert it first, or give a PIL image or a path."
        )
    return image


def _of_path(given: str | Path) -> Iterator[InputFrame]:
    faults: dict[Path, str] = {}
    count = 0
    for file in _files_of(given):
        for index, seconds, image in read_frames(file, 1, faults.__setitem__):
            yield InputFrame(file, index, seconds, image)
            count += 1
    if not count:
        why = next(iter(faults.values()), "it holds none")
        raise InputError(f"frames: no frame of {given} can be read: {why}.")
    for file, reason in faults.items():
        warnings.warn(f"{file}: {reason}", stacklevel=2)


def _files_of(given: str | Path) -> list[Path]:
    path = os.path.expanduser(given)
    if os.path.exists(path):
        try:
            return find_files(Path(path))
        except InputError as error:
            raise InputError(f"frames: {error}") from error
    found = [Path(match) for match in sorted(glob(path, recursive=True))]
    found = [match for match in found if match.suffix.lower() in SUFFIXES and match.is_file()]
    if not found:
        raise InputError(
            f"frames: {str(given)!r} must be an image, a video, a folder that holds some, or a "
            f"glob that matches some ({', '.join(SUFFIXES)}); none was found."
        )
    return found
