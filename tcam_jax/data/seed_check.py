"""Whether the training frames have their seed maps, seen in seconds before training starts.

The ids of frames are in the records alone, beside the JPEG files: to read all of them would be to
read the whole dataset. So one frame of each shot is looked up, and the files beside its map are
counted (the frames of a shot all lie in one folder). Some maps are read. That finds missing shots,
missing frames and maps that were made in a wrong way, not a single file that has a wrong name or
wrong content: such a one stops training when its batch comes.
"""

import hashlib

import numpy as np

from tcam_jax.data.records import Split
from tcam_jax.data.seed_files import FORMS, SeedFiles, without_suffix
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.log import log

_NAMED = 3  # missing maps in the message
_READ = 50  # maps at most, of shots spread over the split


def check_seed_files(files: SeedFiles, split: Split) -> None:
    """Refuses a folder in which maps are missing or wrong; reads `_READ` of them, see the module.

    The log says where each of these has one value all over: seeds are drawn from where a map is
    higher than elsewhere.

    Raises:
        InputError: missing maps, how many and the first three of them; two maps of one frame; a map
            that cannot be read.
    """
    missing, named = 0, []
    folders = _folders(split)
    for folder, (records, firsts) in folders.items():
        there = files.listed(folder)
        # Too few where the folder also holds maps of other splits' frames: their batches tell.
        without_map = {without_suffix(first) for first in firsts} - there
        lacking = max(0, len(records) - len(there), len(without_map))
        if lacking and len(named) < _NAMED:
            absent = [i for i in split.readable_ids(records) if without_suffix(i) not in there]
            lacking = len(absent)  # frames of one name may share a map
            named += absent[:_NAMED]
        missing += lacking
    if missing:
        raise InputError(
            f"expected a seed map in {files.folder} for every frame of {split.name}, but at least "
            f"{missing} of {split.table.num_records} have none, the first: "
            f"{', '.join(named[:_NAMED])}; expected for each {FORMS}, at the frame's id with that "
            "suffix instead of its last one"
        )
    _read_some(files, [first for _, firsts in folders.values() for first in firsts])


def digest_of_maps(files: SeedFiles, split: Split) -> str:
    """Return what tells these maps from others: a digest of `_READ` of them, spread over `split`.

    Raises:
        InputError: one is missing or cannot be read.
    """
    table, digest = split.table, hashlib.blake2b(digest_size=16)
    for shot in _spread(table.num_shots):
        first = next(split.readable_ids(range(table.start[shot], table.stop[shot])), None)
        if first is not None:  # else a shot of damaged records alone
            values = files.read(first)
            digest.update(f"{first}{values.shape}".encode(errors="surrogatepass"))
            digest.update(values.tobytes())
    return digest.hexdigest()


def _spread(count: int) -> list[int]:
    """Numbers below `count`, as far apart as `_READ` of them can be."""
    return np.unique(np.linspace(0, count - 1, _READ).astype(int)).tolist() if count else []


def _read_some(files: SeedFiles, frame_ids: list[str]) -> None:
    maps = [files.read(frame_ids[i]) for i in _spread(len(frame_ids))]
    if maps and all(values.min() == values.max() for values in maps):
        log.warning(
            "the seed maps in %s have one value all over, in each of the %d that were looked at: "
            "they say nothing of where the object is",
            files.folder,
            len(maps),
        )


def _folders(split: Split) -> dict[str, tuple[list[int], list[str]]]:
    """The folders of the frame ids: their records, and the first frame of each of their shots.

    In the order of the records.
    """
    table = split.table
    folders: dict[str, tuple[list[int], list[str]]] = {}
    for start, stop in zip(table.start.tolist(), table.stop.tolist(), strict=True):
        # None: a shot of damaged records alone, which training passes over.
        first = next(split.readable_ids(range(start, stop)), None)
        if first is not None:
            records, firsts = folders.setdefault(first.rpartition("/")[0], ([], []))
            records.extend(range(start, stop))
            firsts.append(first)
    return folders
