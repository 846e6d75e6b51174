"""Numbers and times of a video's frames, from the packets that promise them."""

import heapq
from typing import NamedTuple


class Gap(NamedTuple):
    """Frames that are missing: how many, the first one's number and time."""

    count: int  # type: ignore[assignment]  # hides `tuple.count`
    number: int
    time: float


class Timeline:
    """Numbers every frame, also those that cannot be decoded, and gives times that grow.

    A packet that is damaged promised a frame all the same: those after it keep their numbers.
    Times are numbers of any clock; `interval` is the usual one between frames.

    Args:
        interval: between two frames, above 0.
        unordered: the packets have other packets' times, as in AVI, which stores none of display:
            the k-th frame has the k-th time, whatever the decoder says.
        fixed_rate: the codec knows no other interval: frames are missing where there is a longer.
    """

    # Between the longest interval of film in fixed-rate video (1.5), and one frame missing (2).
    _LATE = 1.75
    # Longer ones are no gap, but files that were joined, each with its own clock.
    _JOINED = 1000
    # How many intervals may lie between the times of an unordered frame and of its packet.
    _REORDERED = 4

    def __init__(self, interval: float, unordered: bool = False, fixed_rate: bool = False):
        self._interval, self._fixed_rate = interval, fixed_rate
        self._unordered = unordered
        # Heaps of times: of packets whose frames are still to come, or never will; of damage.
        self._pending: list[float] = []
        self._lost: list[float] = []
        self._holes: list[float] = []
        self._damaged = False
        self._first, self._last, self._step = 0.0, 0.0, float("inf")
        self.number = 0  # of the next frame
        self.shown_any = False
        self.gaps: list[Gap] = []

    def sent(self, time: float | None, whole: bool = True) -> None:
        """A packet was decoded, or could not be: its time of display, where it has one."""
        self._damaged |= not whole
        if time is not None:
            if not whole:
                heapq.heappush(self._lost, time)
            elif not self.shown_any or time > self._last:  # else it is wrong
                heapq.heappush(self._pending, time)

    def hole(self, time: float) -> None:
        """Bytes before the packet of this time cannot be read: frames may be missing until then."""
        self._damaged = True
        heapq.heappush(self._holes, time)

    def shown(self, time: float | None) -> tuple[int, float]:
        """The number and the time of the next frame; `time` is what the decoder says."""
        if time is not None and self._unordered and self._damaged:
            self._leave_out(time - self._REORDERED * self._interval)
        if (time is None or self._unordered) and self._pending:
            time = self._pending[0]
        if time is None or (self.shown_any and time <= self._last):
            shortest = self._interval if self._step == float("inf") else self._step
            time = self._last + shortest if self.shown_any else 0.0
        self._leave_out(time)
        if self._pending and self._pending[0] == time:
            heapq.heappop(self._pending)
        late = self._fixed_rate or bool(self._holes)
        while self._holes and self._holes[0] <= time:
            heapq.heappop(self._holes)
        if late and self.shown_any:
            self._find_missing(time)
        self._pass_by(time)
        if self.shown_any:
            self._step = min(self._step, time - self._last)
        else:
            self._first = time
        self._last, self.shown_any = time, True
        self.number += 1
        return self.number - 1, time

    def finish(self) -> None:
        """All frames were shown: what is still promised is missing."""
        if self._damaged:
            self._lost = sorted(self._lost + self._pending)
        self._pass_by(float("inf"))

    def _find_missing(self, time: float) -> None:
        """Frames must have been between the last one and that of `time`, if it is late."""
        usual = self._interval
        if not self._fixed_rate and self.number > 1:
            usual = (self._last - self._first) / (self.number - 1)
        steps = (time - self._last) / usual
        if self._LATE < steps < self._JOINED:
            known = sum(lost < time for lost in self._lost)
            for step in range(1, round(steps) - known):
                heapq.heappush(self._lost, self._last + step * usual)

    def _leave_out(self, time: float) -> None:
        """Packets before that show nothing. Some do so in whole files, more do after damage."""
        while self._pending and self._pending[0] < time:
            missed = heapq.heappop(self._pending)
            if self._damaged:
                heapq.heappush(self._lost, missed)

    def _pass_by(self, time: float) -> None:
        passed = []
        while self._lost and self._lost[0] < time:
            passed.append(heapq.heappop(self._lost))
        if passed:
            self.gaps.append(Gap(len(passed), self.number, passed[0]))
            self.number += len(passed)
