"""Video files, frame by frame: upright, with their times, whatever the format and the rate."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import av
from PIL import Image

from tcam_jax.runtime.errors import InputError

SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".avi", ".divx", ".mkv", ".webm", ".ogv"),
    *(".ogm", ".wmv", ".asf", ".flv", ".f4v", ".mpg", ".mpeg", ".mpe", ".m1v", ".m2v", ".vob"),
    *(".ts", ".mts", ".m2ts", ".m2t", ".mod", ".tod", ".dv", ".mxf", ".rm", ".rmvb", ".dav"),
    *(".mjpeg", ".mjpg", ".y4m", ".ivf", ".h264", ".264", ".h265", ".265", ".hevc"),
)


class BadVideo(InputError):
    """Why a video has no frames, or not all: raised after the last frame that can be had."""


class VideoFrame(NamedTuple):
    """One frame of a video.

    Attributes:
      index: its number in order of display, from 0.
      seconds: when it is shown, by its time stamp; index / mean rate where it has none.
      duration: how long it is shown, seconds; 0 where the file does not say.
      image: RGB, turned upright.
    """

    index: int
    seconds: float
    duration: float
    image: Image.Image


def read_video(path: Path, stride: int = 1) -> Iterator[VideoFrame]:
    """The frames 0, stride, 2 * stride … of a video file; one at a time, so memory is constant.

    Raises:
      BadVideo: the file cannot be opened or holds no pictures; or, after the frames that there
        are, decoding broke off, packets had to be left out, or the file promises more.
    """
    try:
        with av.open(str(path)) as container:
            yield from _frames(container, stride)
    except BadVideo:
        raise
    # What the caller does with a frame raises at the caller, so these are the file's faults.
    except (av.FFmpegError, ValueError, UnicodeError) as error:
        raise BadVideo(_reason(error)) from error


def _frames(container: av.container.InputContainer, stride: int) -> Iterator[VideoFrame]:
    # A sound file's cover is a stream of pictures too.
    streams = [s for s in container.streams.video if not s.disposition & s.disposition.attached_pic]
    if not streams:
        raise BadVideo("it holds no pictures")
    stream = streams[0]
    rate = float(stream.average_rate or 25)
    index, left_out, reason = 0, 0, ""
    first, last, longest = 0.0, 0.0, 1 / rate
    for packet in container.demux(stream):
        try:
            decoded = packet.decode()
        except av.FFmpegError as error:  # what follows may be whole
            left_out, reason = left_out + 1, _reason(error)
            continue
        for frame in decoded:
            seconds = index / rate if frame.time is None else frame.time
            if index:
                longest = max(longest, seconds - last)
            else:
                first = seconds
            last = seconds
            if index % stride == 0:
                duration = float(frame.duration * frame.time_base) if frame.duration else 0.0
                yield VideoFrame(index, seconds, duration, _upright(frame))
            index += 1
    if not index:
        raise BadVideo(reason or "none of its pictures can be decoded")
    if left_out:
        raise BadVideo(f"{left_out} packets cannot be decoded ({reason})")
    # An AVI file counts a picture that is shown longer as several, and stores one; how long the
    # last one is shown is not known.
    covered = (last - first + longest) * rate
    if index < stream.frames and covered < stream.frames - 0.5:
        raise BadVideo(f"the file promises {stream.frames} frames")


def _reason(error: Exception) -> str:
    # FFmpeg's errors repeat the file's name, which the callers say themselves.
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


def _upright(frame: av.VideoFrame) -> Image.Image:
    """The frame as a player shows it: telephones store a rotation beside their pictures."""
    image = frame.to_image()
    return image.rotate(frame.rotation, expand=True) if frame.rotation else image
