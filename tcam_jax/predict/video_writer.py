"""Writes pictures and their times as an H.264 video that every player shows."""

from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream

from tcam_jax.runtime.files import cannot_write, temporary_name

_TICKS = 90_000  # a second; the usual clock of video


class VideoWriter:
    """A video that is written as its pictures come: memory is constant.

    A context manager. The file appears under its name when it is left without an error; what was
    written until an error is removed.

    Args:
      path: of the new file, ".mp4".

    Raises:
      InputError: the file cannot be written; from any method.
    """

    def __init__(self, path: Path):
        self._path, self._temporary = path, temporary_name(path)
        self._opened: tuple[OutputContainer, VideoStream] | None = None
        self._last = -1

    def __enter__(self) -> "VideoWriter":
        return self

    def write(self, picture: np.ndarray, seconds: float) -> None:
        """Add a picture that is shown from `seconds` on: RGB, uint8 `[h, w, 3]`.

        The first picture's size is the video's: others are resized. Times that do not grow are
        moved to the next tick.
        """
        try:
            if self._opened is None:
                self._opened = self._open(picture.shape[1], picture.shape[0])
            container, stream = self._opened
            # The format stores colours in blocks of 2 x 2.
            even = [(0, side % 2) for side in picture.shape[:2]]
            padded = np.pad(picture, [*even, (0, 0)], mode="edge")
            frame = av.VideoFrame.from_ndarray(padded, format="rgb24")
            frame = frame.reformat(stream.width, stream.height, "yuv420p")
            self._last = frame.pts = max(round(seconds * _TICKS), self._last + 1)
            frame.time_base = Fraction(1, _TICKS)
            container.mux(stream.encode(frame))
        except OSError as error:
            raise cannot_write(self._path, error) from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._opened is None:
            return
        container, stream = self._opened
        try:
            if kind is None:
                container.mux(stream.encode())
            container.close()
            if kind is None:
                self._temporary.replace(self._path)
        except OSError as fault:
            if kind is None:
                raise cannot_write(self._path, fault) from fault
        finally:
            self._temporary.unlink(missing_ok=True)

    def _open(self, width: int, height: int) -> tuple[OutputContainer, VideoStream]:
        container = av.open(str(self._temporary), "w", format="mp4")
        stream = container.add_stream("libx264", options={"preset": "veryfast"})
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, _TICKS)
        return container, stream
