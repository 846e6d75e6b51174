"""The shot table: what the sampler knows about every record, without reading any record.

Preparation writes one small file, `index.npz`, beside the record files. The frames of a shot are
contiguous records, in order, so a window of a shot is a range of record numbers.
"""

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.plain_files import check_plain, check_unpacked

FILE_NAME = "index.npz"

_DTYPES = {
    "video": np.int32,
    "shot": np.int32,
    "index_in_shot": np.int32,
    "label": np.int32,
    "has_box": np.bool_,
    "start": np.int64,
    "stop": np.int64,
}
_RECORD_COLUMNS = ("video", "shot", "index_in_shot", "label", "has_box")


class Row(NamedTuple):
    """One record, as a builder describes it; `video` and `shot` are names unique in the split."""

    video: str
    shot: str
    index_in_shot: int
    label: int
    has_box: bool


@dataclass(frozen=True)
class ShotTable:
    """One split: five arrays `[records]` and two arrays `[shots]`.

    `video`, `shot` int32: running numbers inside the split, in record order. `index_in_shot` int32:
    0, 1, 2... inside each shot. `label` int32: class number. `has_box` bool: the record carries at
    least one box. `start`, `stop` int64: the records of shot s are `start[s]:stop[s]`.
    """

    video: np.ndarray
    shot: np.ndarray
    index_in_shot: np.ndarray
    label: np.ndarray
    has_box: np.ndarray
    start: np.ndarray
    stop: np.ndarray

    @property
    def num_records(self) -> int:
        """Number of records (frames) of the split."""
        return len(self.label)

    @property
    def num_shots(self) -> int:
        """Number of shots of the split; every shot has at least one record."""
        return len(self.start)

    def without(self, label: int) -> "ShotTable":
        """The same records, but without the shots of one class; shot numbers are those of here.

        Raises:
            InputError: no shot is left.
        """
        kept = self.label[self.start] != label
        if not kept.any():
            raise InputError(
                "expected shots of another class than the one left out; there are none"
            )
        numbers = np.where(kept, np.cumsum(kept) - 1, -1).astype(np.int32)
        return replace(self, shot=numbers[self.shot], start=self.start[kept], stop=self.stop[kept])

    def middle(self, share: float) -> "ShotTable":
        """The same shots, of each the ceil(share * frames) frames in its middle alone.

        Where they cannot stand in the very middle, there is one frame more before them.

        Args:
            share: above 0, at most 1.
        """
        lengths = self.stop - self.start
        # What is exact in decimals, such as 0.6 of 5, is not rounded up.
        kept = np.ceil(share * lengths - 1e-9).astype(np.int64).clip(1)
        start = self.start + (lengths - kept + 1) // 2
        return replace(self, start=start, stop=start + kept)

    @classmethod
    def from_rows(cls, rows: Iterable[Row]) -> "ShotTable":
        """Numbers the videos and shots of `rows`, which come in record order.

        Raises:
            InputError: the records of a shot are not contiguous, not numbered 0, 1, 2..., or differ
                in label or video; or there are no rows.
        """
        videos: dict[str, int] = {}
        seen: set[str] = set()
        starts = array("q")
        # Machine numbers, not Python objects: there may be a million rows.
        columns = {key: array("i") for key in _RECORD_COLUMNS}
        previous: Row | None = None
        for number, row in enumerate(rows):
            if previous is None or row.shot != previous.shot:
                if row.shot in seen:
                    raise InputError(
                        f"expected the records of a shot to be contiguous, but shot {row.shot!r} "
                        f"comes again at record {number}; generate each shot in one piece"
                    )
                seen.add(row.shot)
                starts.append(number)
            elif (row.label, row.video) != (previous.label, previous.video):
                raise InputError(
                    f"expected one label and one video in shot {row.shot!r}, but record {number} "
                    f"changes them from {previous[:1] + previous[3:4]} to {row[:1] + row[3:4]}; "
                    "give the shots of different videos different names"
                )
            if row.index_in_shot != number - starts[-1]:
                raise InputError(
                    f"expected index_in_shot {number - starts[-1]} at record {number} of shot "
                    f"{row.shot!r}, got {row.index_in_shot}; generate the frames in order"
                )
            video = videos.setdefault(row.video, len(videos))
            numbers = (video, len(starts) - 1, row.index_in_shot, row.label, row.has_box)
            for column, value in zip(columns.values(), numbers, strict=True):
                column.append(value)
            previous = row
        if previous is None:
            raise InputError("expected at least one record in a split, got none; add frames to it")
        stops = [*starts[1:], len(columns["label"])]
        arrays = columns | {"start": starts, "stop": stops}
        return cls(**{key: np.array(values, _DTYPES[key]) for key, values in arrays.items()})


def save_tables(path: Path, tables: Mapping[str, ShotTable]) -> None:
    """Writes all splits into the file `path`, under keys such as `train/label`."""
    arrays = {
        f"{split}/{key}": getattr(table, key) for split, table in tables.items() for key in _DTYPES
    }
    with path.open("wb") as file:
        np.savez(file, **arrays)


def _check_consistent(table: ShotTable) -> None:
    """Raises ValueError where `table` is not as `ShotTable.from_rows` makes one."""
    for key, dtype in _DTYPES.items():
        column = getattr(table, key)
        count = table.num_records if key in _RECORD_COLUMNS else table.num_shots
        if column.dtype != dtype or column.shape != (count,):
            raise ValueError(f"{key} is {column.dtype} {list(column.shape)}")
    if (
        not table.num_records
        or table.start[:1].tolist() != [0]
        or (table.stop <= table.start).any()
    ):
        raise ValueError("it has no shots, or empty ones")
    if not np.array_equal(table.stop, [*table.start[1:], table.num_records]):
        raise ValueError("its shots do not follow one another")
    shots = np.repeat(np.arange(table.num_shots), table.stop - table.start)
    numbers = np.arange(table.num_records) - table.start[shots]
    if not (np.array_equal(table.shot, shots) and np.array_equal(table.index_in_shot, numbers)):
        raise ValueError("its frames are not numbered shot by shot")
    for key in ("label", "video"):
        column = getattr(table, key)
        if (column < 0).any() or not np.array_equal(column, column[table.start[shots]]):
            raise ValueError(f"a shot has more than one {key}")


def load_table(path: Path, split: str) -> ShotTable:
    """Reads the table of one split, and nothing of the others.

    Raises:
        InputError: the file is missing or unreadable, or has no such split.
    """
    if not path.exists():
        raise InputError(
            f"expected the shot table {path}, which does not exist; "
            "run `tcam prepare --config=…` to prepare the dataset"
        )
    try:
        check_plain(path)
        with np.load(path, allow_pickle=False) as file:
            # As it was written, nothing is compressed: a small file cannot become a large table.
            check_unpacked(file.zip, path.stat().st_size)
            splits = sorted({key.split("/")[0] for key in file.files})
            if split in splits:
                table = ShotTable(**{key: file[f"{split}/{key}"] for key in _DTYPES})
                _check_consistent(table)
                return table
    except Exception as error:  # NumPy raises five unrelated types for a damaged archive
        raise InputError(
            f"the shot table {path} is damaged ({error}); delete the folder "
            f"{path.parent} and run `tcam prepare --config=…` again"
        ) from error
    raise InputError(f"unknown split {split!r}; {path} has the splits {', '.join(splits)}")
