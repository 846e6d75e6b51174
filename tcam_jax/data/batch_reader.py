"""One batch, read and decoded in plain Python; damaged records in training do not stop it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tcam_jax.data.bad_records import MOST_REDRAWS, BadRecords
from tcam_jax.data.optical_flow import (
    FLOW_STRIDE,
    MOTION_DISTANCES,
    Grey,
    grey,
    motion_map,
    window_flow,
)
from tcam_jax.data.records import Split
from tcam_jax.data.sampler import Visits, redraw_target, window_indices
from tcam_jax.data.seed_files import SeedFiles
from tcam_jax.data.window_frames import ADJACENT, Sampling, target_position, windows_around
from tcam_jax.runtime.errors import InputError

Batch = dict[str, np.ndarray]
# Decodes a JPEG into uint8 `[size, size, 3]`, one or several; ValueError for a damaged one.
Decoder = Callable[..., None]


class Frames:
    """The frames of one batch; one that comes twice (clipped windows) is read and decoded once.

    `pixels` uint8 `[*shape, size, size, 3]`; `sources`: source_size, the same frames resized from
    their sources to this size. `boxes`: with_boxes, the first box of each record, float32 `[4]`:
    x0, y0, x1, y1 in 0..1 of the frame's width and height.
    """

    def __init__(
        self,
        split: Split,
        shape: tuple[int, ...],
        size: int,
        decoder: Decoder,
        with_boxes: bool = False,
        source_size: int | None = None,
    ):
        sizes = [size] if source_size is None else [size, source_size]
        self._views = [_aligned_empty((*shape, side, side, 3), np.uint8) for side in sizes]
        self.pixels, self.sources = self._views[0], self._views[-1]
        self.boxes: dict[int, np.ndarray] = {}
        self._split, self._decode, self._with_boxes = split, decoder, with_boxes
        self._places: dict[int, tuple[int, ...]] = {}

    def put(self, place: tuple[int, ...], record: int) -> None:
        """Reads a record into a place; raises InputError, naming it, if it is damaged."""
        if record in self._places:
            self.copy(self._places[record], place)
            return
        jpeg = self._read(record)
        try:
            self._decode(jpeg, *(view[place] for view in self._views))
        except ValueError as error:
            name = self._split.read_frame_id(record)
            problem = f"{name} is no decodable JPEG file: {error}"
            raise self._split.damaged(record, problem) from error
        self._places[record] = place

    def copy(self, place: tuple[int, ...], to: tuple[int, ...]) -> None:
        """Repeats the frame of one place in another."""
        for view in self._views:
            view[to] = view[place]

    def _read(self, record: int) -> bytes:
        if not self._with_boxes:
            return self._split.read_jpeg(record)
        (example,) = self._split.read([record])
        self.boxes[record] = _unit_box(example)
        return example["image"]


class _GreyFrames:
    """The brightness of a batch's frames and of others near them, each decoded once."""

    def __init__(self, split: Split, size: int, decoder: Decoder, bad: BadRecords):
        self._split, self._size, self._decode, self._bad = split, size, decoder, bad
        self._known: dict[int, Grey | None] = {}

    def get(self, record: int) -> Grey | None:
        """The frame of a record; None for a damaged one, which `bad` is told."""
        if record not in self._known:
            self._known[record] = self._read(record)
        return self._known[record]

    def _read(self, record: int) -> Grey | None:
        if record in self._bad:
            return None
        frames = Frames(self._split, (1,), self._size, self._decode)
        try:
            frames.put((0,), record)
        except InputError as error:
            self._bad.add(record, error)
            return None
        return grey(frames.pixels[0])


@dataclass(frozen=True)
class TrainingWindows:
    """Makes the batch of one step, see `windows.training_batches`. Safe for many threads."""

    split: Split
    seed: int
    batch_size: int
    n: int
    mode: str
    size: int
    rows: slice | np.ndarray
    visits: Visits
    with_boxes: bool
    decoder: Decoder
    bad: BadRecords
    seeds: SeedFiles | None
    source_size: int | None = None
    sampling: Sampling = ADJACENT
    with_flow: bool = False
    motion_of: str | None = None  # of which frames: target | all

    def drawn(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Records and validity of this process's windows, `[b, t]`, before anything is read."""
        windows = window_indices(
            self.split.table,
            seed=self.seed,
            step=step,
            batch_size=self.batch_size,
            n=self.n,
            mode=self.mode,
            visits=self.visits,
            sampling=self.sampling,
            rows=self.rows,
        )
        return windows.records, windows.valid

    def batch(self, step: int) -> Batch:
        """This process's part of the batch."""
        slots = np.arange(self.batch_size, dtype=np.int32)[self.rows]
        target = target_position(self.n, self.mode)
        records, valid = self.drawn(step)
        frames = Frames(
            self.split, records.shape, self.size, self.decoder, self.with_boxes, self.source_size
        )
        for row, slot in enumerate(slots.tolist()):
            attempt = 0
            while not self._put(frames, (row, target), records[row, target]):
                attempt += 1
                if attempt > MOST_REDRAWS:
                    raise InputError(
                        f"{MOST_REDRAWS} redraws in a row of a window of {self.split.name} met a "
                        "damaged record, see the log; delete the dataset's folder and run "
                        "`tcam prepare --config=…` again"
                    )
                records[row], valid[row] = self._redrawn(step, slot, attempt)
            for place, record in enumerate(records[row]):
                if place != target and not self._put(frames, (row, place), record):
                    valid[row, place] = False
                    frames.copy((row, target), (row, place))
        targets = records[:, target]
        label = self.split.table.label[targets]
        batch = {"frames": frames.pixels, "valid": valid, "label": label, "slot": slots}
        if self.source_size is not None:
            batch["sources"] = frames.sources
        if self.with_boxes:
            batch["boxes"] = np.stack([frames.boxes[record] for record in targets.tolist()])
        if self.with_flow:
            batch["flow"] = window_flow(frames.pixels, valid, target)
        if self.motion_of is not None:
            labelled = records if self.motion_of == "all" else records[:, target, None]
            batch["motion"] = self._motion_maps(labelled)
        if self.seeds is not None:
            shown = np.where(valid, records, targets[:, None])
            batch["seed_maps"] = self._seed_maps(self.seeds, shown)
        return batch

    def _seed_maps(self, seeds: SeedFiles, records: np.ndarray) -> np.ndarray:
        """The maps of records `[b, t]`, float32 `[b, t, size, size]`.

        A fault in them is not passed over, as a damaged record is: InputError names the file.
        """
        maps = _aligned_empty((*records.shape, self.size, self.size), np.float32)
        places: dict[int, tuple[int, ...]] = {}
        for place in np.ndindex(records.shape):
            record = int(records[place])
            if record in places:
                maps[place] = maps[places[record]]
            else:
                maps[place] = seeds.read_resized(self.split.read_frame_id(record), self.size)
                places[record] = place
        return maps

    def _motion_maps(self, records: np.ndarray) -> np.ndarray:
        """Where things move in the frames of records `[b, f]`: float32 `[b, f, g, g]`, 0..1.

        Seen against those near them in their shots, which need not be in the window.
        """
        table, seen = self.split.table, _GreyFrames(self.split, self.size, self.decoder, self.bad)
        g = -(-self.size // FLOW_STRIDE)
        maps = np.zeros((*records.shape, g, g), np.float32)
        for place in np.ndindex(records.shape):
            record = int(records[place])
            shot = table.shot[record]
            near = [record + away for away in MOTION_DISTANCES]
            inside = [other for other in near if table.start[shot] <= other < table.stop[shot]]
            others = [seen.get(other) for other in inside]
            now = seen.get(record)
            if now is not None:
                maps[place] = motion_map(now, [other for other in others if other is not None])
        return maps

    def _put(self, frames: Frames, place: tuple[int, ...], record: np.int64) -> bool:
        """Whether the record could be used."""
        record = int(record)
        if record in self.bad:
            return False
        try:
            frames.put(place, record)
        except InputError as error:
            self.bad.add(record, error)
            return False
        return True

    def _redrawn(self, step: int, slot: int, attempt: int) -> tuple[np.ndarray, np.ndarray]:
        table = self.split.table
        target = redraw_target(table, seed=self.seed, step=step, slot=slot, attempt=attempt)
        records, valid = windows_around(
            table,
            np.array([target]),
            n=self.n,
            mode=self.mode,
            sampling=self.sampling,
            keys=[(self.seed, step, slot, attempt)],
        )
        return records[0], valid[0]


def _aligned_empty(shape: tuple[int, ...], dtype: type[np.generic]) -> np.ndarray:
    """Uninitialised, at a multiple of 64 bytes: TensorFlow takes it over without a copy."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size].view(dtype).reshape(shape)


def _unit_box(example: dict[str, Any]) -> np.ndarray:
    width, height = float(example["width"]), float(example["height"])
    return (example["boxes"][0] / [width, height, width, height]).astype(np.float32)
