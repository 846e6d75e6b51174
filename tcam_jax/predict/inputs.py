"""Whatever a user has, as frames: arrays, images, paths, globs, videos, cameras, sequences."""

import io
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from av.container import InputContainer
from PIL import Image

from tcam_jax.data.folder_walk import in_words
from tcam_jax.data.video import BadVideo, read_container
from tcam_jax.predict.arrays import Array, images_in
from tcam_jax.predict.camera import camera_number, read_camera
from tcam_jax.predict.frame_source import read_frames
from tcam_jax.predict.named_files import find_named
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.read_ahead import read_ahead
from tcam_jax.runtime.terminal import one_line


class InputFrame(NamedTuple):
    """One frame, and where it comes from.

    Attributes:
      file: its image or video, or the camera's name; None for a frame in memory.
      frame: its number in its file, or among the frames in memory, from 0.
      time: when the video shows it, seconds; since the camera's first frame; None for others.
      image: RGB, uint8 `[h, w, 3]`.
    """

    file: Path | None
    frame: int
    time: float | None
    image: np.ndarray


Frame = Array | Image.Image | InputFrame
Input = Frame | str | os.PathLike[str] | InputContainer
"""One frame or a stack of them; or an image, a video, a folder, a glob or a camera, by its name; or
a video that PyAV has open."""

Inputs = Input | Iterable[Any]
"""One, or an iterable of these, nested at will."""

# What can be iterated, but is one thing, or holds no frames.
_ONE = (
    str,
    os.PathLike,
    Image.Image,
    Array,
    InputContainer,
    bytes,
    bytearray,
    memoryview,
    io.IOBase,
    Mapping,
    InputFrame,
)

_AHEAD = 8  # frames read while others are computed: more would only wait


def frames_of(frames: Inputs, stride: int = 1) -> Iterator[InputFrame]:
    """Yield all frames, one at a time.

    A file that cannot be read, or not to its end, is warned of (`UserWarning`) after the last frame
    that its path leads to, and so are files that are left out of a folder. A path that is not one
    of several, and leads to no frame that can be read, is an error.

    Args:
      frames: one array `[h, w, 3]` or grey `[h, w]`, or a stack `[n, h, w, 3]`, RGB, uint8 (of
        NumPy, JAX, PyTorch, TensorFlow: whatever has `__array__`); a PIL image, which is turned
        upright by its EXIF; a path, where "~" and globs ("in/*.jpg", "in/**/*.mp4") are expanded;
        a video that PyAV has open, read from where it stands and left open; "camera:0"; an
        `InputFrame`; or an iterable of these, nested at will.
      stride: of videos that are given by their names, the frames 0, stride, 2 * stride … are taken.

    Raises:
      InputError: a frame is of another kind, or a name leads to no frame; after all before it.
    """
    in_memory, one_name = 0, isinstance(frames, str | os.PathLike)
    for one in _one_by_one(frames):
        if isinstance(one, str | os.PathLike):
            yield from _of_name(os.fspath(one), stride, one_name)
            continue
        if isinstance(one, InputFrame):
            yield one
            continue
        if isinstance(one, InputContainer):
            yield from _of_container(one)
            continue
        for image in images_in(one, in_memory):
            yield InputFrame(None, in_memory, None, image)
            in_memory += 1


def read_files(
    files: Iterable[Path], stride: int, report: Callable[[Path, str], None]
) -> Iterator[InputFrame]:
    """Yield the frames of files, in a thread that is some frames ahead, also into the next file.

    Args:
      files, stride, report: as of `frame_source.read_frames`.
    """
    return read_ahead(
        (
            InputFrame(file, index, seconds, image)
            for file in files
            for index, seconds, image in read_frames(file, stride, report)
        ),
        _AHEAD,
    )


def _one_by_one(frames: object) -> Iterator[object]:
    if isinstance(frames, _ONE) or not isinstance(frames, Iterable):
        yield frames
    else:
        for one in frames:
            yield from _one_by_one(one)


def _of_container(container: InputContainer) -> Iterator[InputFrame]:
    file = None if container.name == "<none>" else Path(container.name)
    count = 0
    try:
        for frame in read_container(container):
            yield InputFrame(file, frame.index, frame.seconds, frame.image)
            count += 1
    except BadVideo as error:
        if not count:
            raise InputError(
                f"frames: no frame of the container {container.name} can be read: {error}. It is "
                "read from where it stands: container.seek(0) goes back."
            ) from error
        warnings.warn(one_line(f"{container.name}: {error}"), stacklevel=2)


def _of_name(given: str, stride: int, alone: bool) -> Iterator[InputFrame]:
    path = os.path.expanduser(given)
    camera = None if os.path.exists(path) else camera_number(given)
    if camera is not None:
        try:
            for index, seconds, image in read_camera(camera):
                yield InputFrame(Path(given), index, seconds, image)
        except InputError as error:
            raise InputError(f"frames: {error}") from error
        return
    faults: dict[Path, str] = {}
    count = 0
    try:
        files, left_out = find_named(path)
    except InputError as error:
        raise InputError(f"frames: {error}") from error
    for frame in read_files(files, stride, faults.__setitem__):
        yield frame
        count += 1
    if not count and alone:
        why = next(iter(faults.values()), "it holds none")
        raise InputError(f"frames: no frame of {given} can be read: {why}.")
    for file, reason in faults.items():
        warnings.warn(one_line(f"{file}: {reason}"), stacklevel=2)
    root = Path(path)
    while not root.exists():  # a glob
        root = root.parent
    told = in_words((one for one in left_out if one.kind != "system"), root)
    if told:
        warnings.warn(one_line(f"{given}: {told}"), stacklevel=2)
