"""Video files made by FFmpeg, and what may happen to their bytes."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tcam_jax.data.video import BadVideo, VideoFrame, read_video

RATES = {".webm": ("libopus", 48_000), ".mpg": ("mp2", 44_100), ".ts": ("mp2", 44_100)}


def write(
    path: Path,
    times: list[float],
    size=(64, 48),
    codec="mpeg4",
    sound=0.0,
    pix_fmt="yuv420p",
    max_b_frames=0,
    noise=False,
    **options,
) -> Path:
    """Frame i, whose grey is 10 * i, is shown from `times[i]` seconds on; size is width, height.

    `sound`: seconds of silence beside. `noise`: pixels that no codec makes small.
    """
    rng = np.random.default_rng(0)
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height = size
        stream.pix_fmt, stream.bit_rate = pix_fmt, 2_000_000
        stream.codec_context.max_b_frames = max_b_frames
        fixed = codec.startswith("mpeg") and codec.endswith("video")  # knows frames, no times
        clock = Fraction(1, 25 if fixed else 1000)
        stream.codec_context.time_base = clock
        packets, rate = [], 0
        if sound:
            codec, rate = RATES.get(path.suffix, ("aac", 44_100))
            second = container.add_stream(codec, rate=rate)
            second.layout = "mono"
        for i, time in enumerate(times):
            grey = np.full((size[1], size[0], 3), 10 * i % 250, np.uint8)
            grey = rng.integers(0, 256, grey.shape, np.uint8) if noise else grey
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts, frame.time_base = round(time / clock), clock
            packets += stream.encode(frame)
        packets += stream.encode()
        for begin in range(0, int(sound * rate), 960):
            samples = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.float32), "fltp", "mono")
            samples.sample_rate, samples.pts = rate, begin
            samples.time_base = Fraction(1, rate)
            packets += second.encode(samples)
        packets += second.encode() if sound else []
        container.mux(sorted(packets, key=lambda packet: packet.dts * packet.time_base))
    return path


def read(path: Path, stride: int = 1) -> tuple[list[VideoFrame], str]:
    """The frames, and why there are no more of them."""
    frames = []
    try:
        for frame in read_video(path, stride):
            frames.append(frame)
    except BadVideo as error:
        return frames, str(error)
    return frames, ""


def blank(path: Path, first: int, last: int, heads: bool) -> Path:
    """Zeroes packets `first` to `last` of a video; `heads`: and what lies before each of them."""
    with av.open(str(path)) as container:
        packets = [(packet.pos, bytes(packet)) for packet in container.demux(video=0)]
    content, end = bytearray(path.read_bytes()), 0
    for number, (pos, packet) in enumerate(packets[: last + 1]):
        place = content.index(packet, max(pos, end))
        if number >= first:
            begin = end if heads else place
            content[begin : place + len(packet)] = bytes(place + len(packet) - begin)
        end = place + len(packet)
    path.write_bytes(content)
    return path


def turn(path: Path, a: int, b: int, c: int, d: int) -> Path:
    """Writes the display matrix of an MP4: the pixel (x, y) is shown at (ax + cy, bx + dy)."""
    content = bytearray(path.read_bytes())
    one = 1 << 16
    upright, turned = (
        b"".join((one * v).to_bytes(4, "big", signed=True) for v in matrix)
        for matrix in ((1, 0, 0, 0, 1, 0), (a, b, 0, c, d, 0))
    )
    place = content.index(upright, content.index(b"tkhd"))
    content[place : place + len(turned)] = turned
    path.write_bytes(content)
    return path


def trim(path: Path, seconds: float, ticks: int) -> Path:
    """Lets an MP4's edit list begin later, as `ffmpeg -ss 1 -c copy` does; ticks a second."""
    content = bytearray(path.read_bytes())
    place = content.index(b"elst") + 12
    for at, later, unit in ((place, -seconds, 1000), (place + 4, seconds, ticks)):
        value = int.from_bytes(content[at : at + 4], "big") + round(later * unit)
        content[at : at + 4] = value.to_bytes(4, "big")
    path.write_bytes(content)
    return path
