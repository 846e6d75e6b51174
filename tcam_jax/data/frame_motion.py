"""Where things move in the frames of one batch, seen against those near them in their shots."""

from collections.abc import Callable

import numpy as np

from tcam_jax.data.bad_records import BadRecords
from tcam_jax.data.optical_flow import MOTION_DISTANCES, Grey, flow_side, grey, motion_map
from tcam_jax.data.shot_table import ShotTable
from tcam_jax.runtime.errors import InputError

Read = Callable[[int], np.ndarray]
"""A record's frame, uint8 `[size, size, 3]`, RGB; InputError, naming it, if it is damaged."""


def motion_of_records(
    table: ShotTable, records: np.ndarray, size: int, read: Read, bad: BadRecords | None = None
) -> np.ndarray:
    """Where things move in frames: float32 `[*shape, g, g]`, 0..1, see `optical_flow.motion_map`.

    Args:
        table: of the split that they are of.
        records: their numbers, of any shape.
        size: side of the square at which they are compared, pixels.
        read: see `Read`.
        bad: is told of damaged frames, which are left out; None: they are an error.

    Raises:
        InputError: see `bad`; or there are too many of them.
    """
    seen = _GreyFrames(read, bad)
    g = flow_side(size)
    maps = np.zeros((*records.shape, g, g), np.float32)
    known: dict[int, np.ndarray] = {}  # a record may come twice
    for place in np.ndindex(records.shape):
        record = int(records[place])
        if record not in known:
            known[record] = _motion(table, record, seen, g)
        maps[place] = known[record]
    return maps


def _motion(table: ShotTable, record: int, seen: "_GreyFrames", g: int) -> np.ndarray:
    shot = table.shot[record]
    near = [record + away for away in MOTION_DISTANCES]
    inside = [other for other in near if table.start[shot] <= other < table.stop[shot]]
    others = [seen.get(other) for other in inside]
    now = seen.get(record)
    if now is None:
        return np.zeros((g, g), np.float32)
    return motion_map(now, [other for other in others if other is not None])


class _GreyFrames:
    """The brightness of a batch's frames and of others near them, each decoded once."""

    def __init__(self, read: Read, bad: BadRecords | None):
        self._read_frame, self._bad = read, bad
        self._known: dict[int, Grey | None] = {}

    def get(self, record: int) -> Grey | None:
        """The frame of a record; None for a damaged one, which `bad` is told."""
        if record not in self._known:
            self._known[record] = self._read(record)
        return self._known[record]

    def _read(self, record: int) -> Grey | None:
        if self._bad is not None and record in self._bad:
            return None
        try:
            return grey(self._read_frame(record))
        except InputError as error:
            if self._bad is None:
                raise
            self._bad.add(record, error)
            return None
