"""The packets of one video stream, and how much of its file they cover."""

from collections.abc import Iterator
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from tcam_jax.data.video_bytes import missing_bytes

# Formats whose packets lie close together, with times of their own: what lies between is damaged.
_DENSE = ("matroska", "flv")


class Packets:
    """Reads a container to its end, once, and keeps account of what it promised.

    Args:
        container: open, at its beginning.
        stream: the one whose packets are wanted.
    """

    def __init__(self, container: InputContainer, stream: VideoStream):
        self._container, self._stream = container, stream
        self._format = container.format.name.split(",")[0]
        # An AVI's packets have no times, but are counted: its index tells which are left out.
        entries = stream.index_entries if self._format == "avi" else ()
        self._index = {entry.pos + 8: entry.timestamp for entry in entries}
        self._first_late: int | None = None  # the index's time less the packet's, in ticks
        self._shift = 0
        # The last second, and that and the last byte of all streams, since sound may be longer.
        self._end, self._end_of_all, self._end_byte = 0.0, 0.0, 0
        self._widest, self._unread = 512, False  # bytes between two packets; that there are more
        self._error = ""

    def __iter__(self) -> Iterator[tuple[av.Packet, float | None, bool]]:
        """Packets in the file's order.

        Yields:
            Each one; its time of display in ticks of the stream, where it has one; and whether
            bytes before it cannot be read, where that can be known.
        """
        packets = self._container.demux()
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:  # what came before can be decoded
                self._error, packet = f" ({reason(error)})", None
            if packet is None:
                return
            time = packet.dts if packet.pts is None else packet.pts
            ours = packet.stream is self._stream and packet.size > 0
            if ours and time is not None:
                time += self._count_by_index(packet)
            self._account(packet, time)
            if ours:
                hole, self._unread = self._unread and time is not None, False
                yield packet, None if time is None else float(time), hole

    def _account(self, packet: av.Packet, time: int | None) -> None:
        if time is not None:
            seconds = float((time + (packet.duration or 0)) * packet.time_base)
            self._end_of_all = max(self._end_of_all, seconds)
            if packet.stream is self._stream:
                self._end = max(self._end, seconds)
        if packet.pos is not None and packet.size:
            between = packet.pos - self._end_byte
            if self._end_byte and between > self._widest:
                self._unread |= self._format in _DENSE
                self._widest = 2 * between  # some formats keep other things there, every time
            self._end_byte = max(self._end_byte, packet.pos + packet.size)

    def _count_by_index(self, packet: av.Packet) -> int:
        """Moves a packet to the time that the index gives to its place; by how many ticks."""
        if packet.pos in self._index and packet.dts is not None:
            late = self._index[packet.pos] - packet.dts
            self._first_late = late if self._first_late is None else self._first_late
            self._unread |= late - self._first_late > self._shift
            self._shift = max(late - self._first_late, self._shift)
        if self._shift:
            packet.pts = None if packet.pts is None else packet.pts + self._shift
            packet.dts = None if packet.dts is None else packet.dts + self._shift
        return self._shift

    def broke_off(self) -> str:
        """That the file ends too early, after what time: by its bytes or its time; "" if not."""
        container, stream = self._container, self._stream
        path = Path(container.name.removeprefix("file:"))
        cut = path.is_file() and missing_bytes(path, container.format.name)
        start, promised = (container.start_time or 0) / av.time_base, container.duration or 0
        promised /= av.time_base
        # A last picture that is shown longer takes time, but no bytes; and what lies behind the
        # pictures, such as an index, takes bytes, but no time.
        late = promised - (self._end_of_all - start)
        unread = 1 - self._end_byte / max(container.size, 1)
        early = self._unread or (late > 0.2 and unread > 0.05 + late / promised / 4)
        if not self._error and not cut and not early:
            return ""
        # Where an AVI's index is cut off, FFmpeg guesses the duration by the bytes that are left.
        if stream.frames < container.size:  # one that was never closed says 2^30
            promised = max(promised, float(stream.frames / (stream.average_rate or 25)))
        there = self._end - start
        of = f" of about {promised:.2f}" if promised - there > 0.02 else ""
        return f"it breaks off after {there:.2f}{of} s{self._error}"


def reason(error: Exception) -> str:
    """What an error of FFmpeg says, without the file's name, which the callers say themselves."""
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
