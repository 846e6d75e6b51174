"""Video files cut off or damaged anywhere: right frames with their numbers, and what is missing."""

import functools
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcam_jax.data.video import BadVideo, VideoFrame, promised_frames, read_video
from tests.data.made_videos import write
from tests.fuzz import damage, outcome

FRAMES = 8
MADE = {
    "mp4": {"codec": "mpeg4"},
    "mp4 of fragments": {"codec": "mpeg4", "movflags": "frag_keyframe+empty_moov"},
    "mov": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "mkv": {"codec": "mpeg4", "max_b_frames": 2},
    "webm": {"codec": "libvpx"},
    "avi": {"codec": "mpeg4", "sound": 0.4},
    "ts": {"codec": "mpeg2video"},
    "mpg": {"codec": "mpeg1video"},
    "flv": {"codec": "flv"},
    "ogv": {"codec": "libvpx"},
    "wmv": {"codec": "wmv2"},
    "mxf": {"codec": "mpeg2video"},
}
# Their ends say nothing of their length.
STREAMS = ("ts", "mpg")


@functools.cache
def _file(name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"a.{name.split()[0]}")
        write(path, [number / 25 for number in range(FRAMES)], **MADE[name])
        return path.read_bytes()


class Read:
    """The frames of a file, and why there are no more."""

    def __init__(self, name: str, content: bytes):
        self.frames: list[VideoFrame] = []
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"a.{name.split()[0]}")
            path.write_bytes(content)
            end = outcome.of(lambda: self._read(path), BadVideo)
            self.fault = end.message if isinstance(end, outcome.Refused) else ""
            promised = outcome.of(lambda: promised_frames(path))
            assert promised is None or promised >= 0

    def _read(self, path: Path) -> None:
        for frame in read_video(path):
            self.frames.append(frame)


@functools.cache
def _whole(name: str) -> Read:
    read = Read(name, _file(name))
    assert len(read.frames) == FRAMES and not read.fault
    return read


def _check_order(read: Read) -> None:
    """Numbers and times grow; nothing goes missing without a word."""
    numbers = [frame.index for frame in read.frames]
    times = [frame.seconds for frame in read.frames]
    assert numbers == sorted(set(numbers)) and times == sorted(set(times))
    assert read.fault or numbers == list(range(len(numbers)))
    assert read.frames or read.fault


def _between_boxes(content: bytes) -> bool:
    """Whether a recording that went on box by box may have ended here."""
    end = 0
    while end < len(content):
        end += int.from_bytes(content[end : end + 4], "big") or len(content)
    return end == len(content)


@pytest.mark.parametrize("name", MADE)
@outcome.examples(8)
@given(st.data())
def test_cut_off(name, data):
    whole, content = _whole(name), data.draw(damage.cut(_file(name)))
    read = Read(name, content)
    _check_order(read)
    if len(read.frames) < FRAMES and not read.fault:
        assert name in STREAMS or (name == "mp4 of fragments" and _between_boxes(content))
    # The last one may be a picture of which a part is missing.
    for right, shown in list(zip(whole.frames, read.frames, strict=False))[:-1]:
        assert shown.index == right.index
        # Of an MXF without its index FFmpeg does not know the first time.
        assert abs(shown.seconds - right.seconds) < 0.005 or name == "mxf"
        assert np.array_equal(shown.image, right.image)


@pytest.mark.parametrize("name", MADE)
@outcome.examples(8)
@given(st.data())
def test_damaged(name, data):
    _check_order(Read(name, data.draw(damage.bytes_of(_file(name)))))
