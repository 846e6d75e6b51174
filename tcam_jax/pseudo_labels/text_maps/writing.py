"""Maps of all training frames, written as `tcam.seed_source=files` reads them.

A file is whole or not there, so a run that was stopped goes on with the frames that have none. What
the maps were made by stands beside them: a folder never holds maps of two makings.
"""

import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from tqdm import tqdm

from tcam_jax.data.records import Split
from tcam_jax.data.seed_files import IMAGE_SUFFIX, without_suffix
from tcam_jax.pseudo_labels.text_maps.model import TextMaps
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.files import cannot_write, write_whole
from tcam_jax.runtime.json_files import read_json
from tcam_jax.runtime.terminal import say

MADE_BY = "seed_maps.json"


class Written(NamedTuple):
    """How many maps were made, were there before, and could not be made (damaged records)."""

    made: int
    there: int
    damaged: int


def write_maps(
    split: Split, make: TextMaps, folder: Path, size: int, batch_size: int, made_by: dict[str, Any]
) -> Written:
    """Write a map, 8-bit grey `[size, size]`, for every frame of the shots of `split`.

    Args:
      split: of training.
      make: of `model.open_text_maps`.
      folder: of the maps; it is made if need be.
      size: side of the maps, pixels; that of training frames is read fastest.
      batch_size: frames at once.
      made_by: what else the maps depend on, JSON-able: weights, dataset …

    Raises:
      InputError: the folder cannot be written, or holds maps that were made otherwise.
    """
    _record(folder, {**made_by, "template": make.template, "shown": make.size, "size": size})
    made, damaged, there = 0, 0, 0
    lacking: dict[Path, int] = {}  # frames that differ in their suffix alone share a map
    for record, path in _files(split, folder):
        if path is None:
            damaged += 1
        elif path.exists():
            there += 1
        else:
            lacking.setdefault(path, record)
    wanted = list(lacking.items())
    with tqdm(total=len(wanted), desc="maps", unit=" frames", disable=None) as bar:
        for first in range(0, len(wanted), batch_size):
            some, readable = wanted[first : first + batch_size], []
            for path, record in some:
                try:
                    readable.append((split.read_image(record), record, path))
                except InputError as error:  # training passes over it too
                    say(f"warning: {error}", error=True)
                    damaged += 1
            if readable:
                frames = [frame for frame, _, _ in readable]
                classes = [int(split.table.label[record]) for _, record, _ in readable]
                for values, (_, _, path) in zip(make.maps(frames, classes), readable, strict=True):
                    _write(path, values, size)
                made += len(readable)
            bar.update(len(some))
    return Written(made, there, damaged)


def digest_of(folder: Path) -> str:
    """Return what tells the weights in a folder from others: of its files of weights."""
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")]):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _files(split: Split, folder: Path) -> Iterator[tuple[int, Path | None]]:
    """Yield the records of the shots and the files of their maps; None: the record is damaged."""
    table = split.table
    for start, stop in zip(table.start.tolist(), table.stop.tolist(), strict=True):
        for record in range(start, stop):
            try:
                frame_id = split.read_frame_id(record)
            except InputError as error:
                say(f"warning: {error}", error=True)
                yield record, None
            else:
                yield record, folder / (without_suffix(frame_id) + IMAGE_SUFFIX)


def _record(folder: Path, made_by: dict[str, Any]) -> None:
    path = folder / MADE_BY
    if path.exists():
        before = read_json(path, dict[str, Any], "Give another --output.")
        changed = [key for key in made_by if before.get(key, made_by[key]) != made_by[key]]
        if changed:
            key = changed[0]
            raise InputError(
                f"{folder} holds maps that were made otherwise: {key} was {before.get(key)!r}, and "
                f"is {made_by[key]!r} now. Give another --output, or delete that folder."
            )
        return
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(
            f"{folder} holds other files, and no {MADE_BY} that says what made them. Give an empty "
            "or a new --output."
        )
    _make_folder(folder)
    write_whole(path, json.dumps(made_by, indent=2) + "\n")


def _write(path: Path, values: np.ndarray, size: int) -> None:
    enlarged = np.asarray(Image.fromarray(values).resize((size, size), Image.Resampling.BILINEAR))
    levels = np.rint(255 * enlarged.clip(0, 1)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, "PNG")
    _make_folder(path.parent)
    write_whole(path, buffer.getvalue())


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
