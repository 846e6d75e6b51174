"""One batch, read and decoded in plain Python; damaged records in training do not stop it."""

from dataclasses import dataclass

import numpy as np

from tcam_jax.data.bad_records import MOST_REDRAWS, BadRecords
from tcam_jax.data.batch_frames import Decoder, Frames, aligned_empty
from tcam_jax.data.frame_motion import motion_of_records
from tcam_jax.data.optical_flow import window_flow
from tcam_jax.data.records import Split
from tcam_jax.data.sampler import Visits, redraw_target, window_indices
from tcam_jax.data.seed_files import SeedFiles
from tcam_jax.data.window_frames import ADJACENT, Sampling, target_position, windows_around
from tcam_jax.runtime.errors import InputError

Batch = dict[str, np.ndarray]


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
    with_flow: bool = False
    motion_of: str | None = None  # of which frames: target | all
    sampling: Sampling = ADJACENT

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
            batch["motion"] = motion_of_records(
                self.split.table, labelled, self.size, frames.frame, self.bad
            )
        if self.seeds is not None:
            shown = np.where(valid, records, targets[:, None])
            batch["seed_maps"] = self._seed_maps(self.seeds, shown)
        return batch

    def _seed_maps(self, seeds: SeedFiles, records: np.ndarray) -> np.ndarray:
        """The maps of records `[b, t]`, float32 `[b, t, size, size]`.

        A fault in them is not passed over, as a damaged record is: InputError names the file.
        """
        maps = aligned_empty((*records.shape, self.size, self.size), np.float32)
        places: dict[int, tuple[int, ...]] = {}
        for place in np.ndindex(records.shape):
            record = int(records[place])
            if record in places:
                maps[place] = maps[places[record]]
            else:
                maps[place] = seeds.read_resized(self.split.read_frame_id(record), self.size)
                places[record] = place
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
