"""Writes pictures and their times as an H.264 video that every player shows."""

from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import cv2
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
        self._size: tuple[int, ...] = ()
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
                self._size = picture.shape[:2]
                self._opened = self._open(picture.shape[1], picture.shape[0])
            container, stream = self._opened
            if picture.shape[:2] != self._size:
                picture = cv2.resize(picture, self._size[::-1], interpolation=cv2.INTER_AREA)
            # The format stores colours in blocks of 2 x 2.
            odd = [side % 2 for side in self._size]
            if any(odd):
                picture = cv2.copyMakeBorder(picture, 0, odd[0], 0, odd[1], cv2.BORDER_REPLICATE)
            # OpenCV's conversion takes a sixth of FFmpeg's.
            yuv = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420), np.uint8)
            frame = av.VideoFrame.from_ndarray(yuv, format="yuv420p")
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
            with suppress(OSError):
                self._temporary.unlink()

    def _open(self, width: int, height: int) -> tuple[OutputContainer, VideoStream]:
        # The table of contents first: browsers show the video while they load it.
        container = av.open(
            str(self._temporary), "w", format="mp4", options={"movflags": "faststart"}
        )
        # At equal looks "veryfast", at its crf of 23, takes 1.7 times as long for files a fifth
        # smaller.
        stream = container.add_stream("libx264", options={"preset": "superfast", "crf": "25"})
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = Fraction(1, _TICKS)
        # In numbers of ITU-T H.273, as players would guess by the size: OpenCV converts by BT.601
        # to 16..235; the colours themselves are those of nearly all pictures, BT.709.
        context.colorspace, context.color_range = 6, 1
        context.color_primaries, context.color_trc = 1, 1
        return container, stream
