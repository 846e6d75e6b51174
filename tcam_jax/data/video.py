"""Video files, frame by frame: upright, with their times, whatever the format and the rate."""

import struct
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.container import InputContainer
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from tcam_jax.data.video_packets import Packets, reason
from tcam_jax.data.video_timeline import Timeline
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.plain_files import check_plain, check_written

SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".avi", ".divx", ".mkv", ".webm", ".ogv"),
    *(".ogm", ".wmv", ".asf", ".flv", ".f4v", ".mpg", ".mpeg", ".mpe", ".m1v", ".m2v", ".vob"),
    *(".ts", ".mts", ".m2ts", ".m2t", ".mod", ".tod", ".dv", ".mxf", ".rm", ".rmvb", ".dav"),
    *(".mjpeg", ".mjpg", ".y4m", ".ivf", ".h264", ".264", ".h265", ".265", ".hevc"),
)

_MOST_PIXELS = 178_956_970  # of a frame: as Pillow has it for images
_LONGEST_HOLE = 1 << 27  # bytes: in formats without lengths FFmpeg reads, and keeps, all of one
_FIXED_RATE = ("mpeg1video", "mpeg2video", "theora")
_UNSPECIFIED, _RESERVED = 2, 3  # of how colours are stored, in all standards


class BadVideo(InputError):
    """Why a video has no frames, or not all: raised after the last frame that can be had."""


class VideoFrame(NamedTuple):
    """One frame of a video.

    Attributes:
      index: its number in order of display, from 0. Frames that are damaged count.
      seconds: when it is shown, from the file's start as players count; grows from frame to frame.
        By its time stamp; by those of its packets, or the rate, where it has none or a wrong one.
      duration: how long it is shown, seconds; 0 where the file does not say.
      image: RGB, uint8 `[h, w, 3]`, turned upright.
    """

    index: int  # type: ignore[assignment]  # hides `tuple.index`
    seconds: float
    duration: float
    image: np.ndarray


def read_video(path: Path, stride: int = 1) -> Iterator[VideoFrame]:
    """The frames 0, stride, 2 * stride … of a video file; one at a time, so memory is constant.

    Raises:
      BadVideo: the file cannot be opened or holds no pictures; or, after the frames that there
        are, some are missing or damaged, and where, or the file breaks off.
    """
    try:
        container = _open(path)
    except (av.FFmpegError, ValueError) as error:
        raise BadVideo(reason(error)) from error
    with container:
        yield from read_container(container, stride)


def read_container(container: InputContainer, stride: int = 1) -> Iterator[VideoFrame]:
    """The same of a container that is open; it is read from where it stands, and stays open."""
    try:
        yield from _Reader(container).frames(stride)
    except BadVideo:
        raise
    # What the caller does with a frame raises at the caller, so these are the file's faults.
    except (av.FFmpegError, ValueError) as error:
        raise BadVideo(reason(error)) from error


def promised_frames(path: Path) -> int | None:
    """How many frames a video file says it has, or has by its duration and rate; None: unknown.

    For progress bars: nothing is decoded, and it may be wrong by some.
    """
    try:
        with _open(path) as container:
            stream = _stream(container)
            if stream.frames and "mp4" in container.format.name:
                # One that was cut holds frames that are not shown; first those before its start.
                index = stream.index_entries
                before = sum(1 for _ in takewhile(lambda entry: entry.is_discard, index))
                return min(stream.frames, len(index)) - before
            if stream.frames:  # an AVI that was never closed says 2^30
                return stream.frames if stream.frames < container.size else None
            if container.duration and stream.average_rate:
                return round(container.duration / av.time_base * stream.average_rate)
    except (av.FFmpegError, ValueError):  # InputError is one
        pass
    return None


def _open(path: Path) -> InputContainer:
    try:
        check_plain(path)
        check_written(path, _LONGEST_HOLE)
    except OSError as error:
        raise BadVideo(reason(error)) from error
    # Without its protocol's name, that of a file with a colon would be taken for one.
    return av.open(f"file:{path}", metadata_errors="replace")


def _stream(container: InputContainer) -> VideoStream:
    """The stream that players show: no cover, no thumbnails."""
    kinds = av.stream.Disposition
    beside = kinds.attached_pic | kinds.timed_thumbnails
    streams = [s for s in container.streams.video if not s.disposition & beside]
    if not streams:
        raise BadVideo("it holds no pictures")
    best = container.streams.best("video")
    return best if best in streams else streams[0]


class _Reader:
    """Reads one container, once, and keeps account of what is wrong with it."""

    def __init__(self, container: InputContainer):
        self._container, self._stream = container, _stream(container)
        context = self._stream.codec_context
        if context is None:
            raise BadVideo("its codec is not known here")
        if not context.is_open:  # threads over frames tell of damage with other packets
            context.thread_type = "SLICE"
        fixed = context.name in _FIXED_RATE and context.framerate
        rate = float(fixed or self._stream.average_rate or 25)
        self._tick = self._stream.time_base
        interval = 1 / (rate * float(self._tick))
        # Of what comes in another order than it is stored in, AVI does not say when it is shown.
        guess = container.format.name == "avi" and bool(context.has_b_frames)
        self._line = Timeline(interval, guess, bool(fixed))
        self._packets = Packets(container, self._stream)
        self._start: float | None = None
        self._damaged: list[tuple[int, float]] = []
        self._failed, self._reason = 0, ""

    def frames(self, stride: int) -> Iterator[VideoFrame]:
        to_rgb = VideoReformatter()
        for frame in self._decoded():
            number, time = self._line.shown(None if frame.pts is None else float(frame.pts))
            seconds = self._seconds(time)
            if frame.is_corrupt:
                self._damaged.append((number, seconds))
            if number % stride == 0:
                if frame.width * frame.height > _MOST_PIXELS:
                    size = f"{frame.width} x {frame.height}"
                    raise BadVideo(f"its frames of {size} pixels are too large: scale it down")
                duration = float(frame.duration * self._tick) if frame.duration else 0.0
                yield VideoFrame(number, seconds, duration, _upright(_rgb(frame, to_rgb), frame))
        self._line.finish()
        if faults := self._faults():
            raise BadVideo("; ".join(faults))

    def _decoded(self) -> Iterator[av.VideoFrame]:
        for packet, time, hole in self._packets:
            if hole:
                self._line.hole(time)
                if packet.is_keyframe:  # what is still to come belongs before the hole
                    yield from self._decode(None)[0]
                    self._stream.codec_context.flush_buffers()
            decoded, whole = self._decode(packet)
            if not packet.is_discard:  # else it is there for others, and not shown
                self._line.sent(time, whole)
            yield from decoded
        yield from self._decode(None)[0]

    def _decode(self, packet: av.Packet | None) -> tuple[list[av.VideoFrame], bool]:
        """The frames that a packet brings out, or the end; and whether it is whole."""
        try:
            return self._stream.codec_context.decode(packet), True
        except av.FFmpegError as error:  # what follows may be whole
            # A broadcast may begin between two frames that stand for themselves.
            if not self._line.shown_any and self._container.format.name == "mpegts":
                return [], True
            self._failed, self._reason = self._failed + 1, reason(error)
            return [], False

    def _seconds(self, time: float) -> float:
        seconds = time * self._tick.numerator / self._tick.denominator
        if self._start is None:
            begin = self._container.start_time
            self._start = seconds if begin is None else min(begin / av.time_base, seconds)
        return seconds - self._start

    def _faults(self) -> list[str]:
        gaps = self._line.gaps
        if not self._line.shown_any:
            return [self._reason or "none of its pictures can be decoded"]
        faults = []
        for count, number, time in gaps[:3]:
            where = f"missing from number {number} on ({self._seconds(time):.2f} s)"
            faults.append(f"{_count(count, 'frame')} {where}")
        if len(gaps) > 3:
            faults.append(f"others in {_count(len(gaps) - 3, 'more place')}")
        if self._damaged:
            number, seconds = self._damaged[0]
            where = f"the first is number {number} ({seconds:.2f} s)"
            faults.append(f"{_count(len(self._damaged), 'frame')} damaged, {where}")
        if self._failed and not faults:
            faults.append(f"{_count(self._failed, 'packet')} cannot be decoded ({self._reason})")
        end = self._packets.broke_off()
        return [*faults, end] if end else faults


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'s' if number != 1 else ''}"


def _rgb(frame: av.VideoFrame, to_rgb: VideoReformatter) -> np.ndarray:
    # Their conversion is not asked for, but where a reserved value stands, PyAV refuses all.
    frame.color_trc = frame.color_primaries = _UNSPECIFIED
    if frame.colorspace == _RESERVED:
        frame.colorspace = _UNSPECIFIED
    # Threads cost more than they give, at the sizes of videos.
    return to_rgb.reformat(frame, format="rgb24", threads=1).to_ndarray()


def _upright(image: np.ndarray, frame: av.VideoFrame) -> np.ndarray:
    """The frame as a player shows it: telephones store beside it how it is turned, or mirrored."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is not None:
        # A pixel (x, y) is shown at (a x + c y, b x + d y).
        a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix))
        if abs(b) + abs(c) > abs(a) + abs(d):
            image, a, d = image.transpose(1, 0, 2), c, b
        image = image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
    return np.ascontiguousarray(image)
