"""Which dataset a run is trained on: recorded at its start, and compared whenever it goes on."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from tcam_jax.data.protocol import Counted, Data, Original, Recorded
from tcam_jax.data.shot_table import ShotTable
from tcam_jax.data.truth import Truth
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.files import write_whole
from tcam_jax.runtime.json_files import read_json

FILE_NAME = "dataset.json"
# Where things lie: recorded for the reader, and free to change.
_PLACES = ("origin.folder", "origin.manual_dir", "origin.splits_dir")


def record_dataset(config: ConfigDict, workdir: Path, data: Data) -> None:
    """Record in `workdir` which dataset `data` is, or compare it with what is recorded.

    Of a prepared dataset that is what it was made from and its shot tables, without reading frames;
    of other `Data` what they can say: `origin`, how much there is to train on, the first batch's
    ids, and the ids, labels and sizes of the frames that are evaluated.

    Raises:
      InputError: the run was started with another dataset; or the record cannot be read.
    """
    path = workdir / FILE_NAME
    if path.exists():
        check_dataset(config, workdir, data)
    else:
        write_whole(path, json.dumps(_identity(config, data), indent=2) + "\n")


def check_dataset(config: ConfigDict, workdir: Path, data: Data) -> None:
    """Compare `data` with what `record_dataset` has recorded in `workdir`, if it has.

    Raises:
      InputError: they are another dataset; or the record cannot be read.
    """
    path = workdir / FILE_NAME
    if not path.exists():  # a run of before, or a network that was imported
        return
    now = json.loads(json.dumps(_identity(config, data)))
    advice = "Put back a copy of it, or use another workdir."
    there = dict(_flat(read_json(path, dict[str, Any], advice)))
    here, absent = dict(_flat(now)), "(absent)"
    names = [name for name in (*there, *(here.keys() - there)) if there.get(name) != here.get(name)]
    changed = [
        f"  {name}: {there.get(name, absent)!r} there, {here.get(name, absent)!r} now"
        for name in (*_PLACES, *sorted(set(names) - set(_PLACES)))
        if name in names
    ]
    if set(names) - set(_PLACES):
        raise InputError(
            f"{workdir} was started with another dataset than {_place(data)}; these differ:",
            *changed,
            "Use the dataset as it was with that run, or another workdir.",
        )


def content_of(config: ConfigDict, data: Data) -> dict[str, Any]:
    """Return what `record_dataset` compares, by name: which dataset it is, not where it lies."""
    return {name: x for name, x in _flat(_identity(config, data)) if name not in _PLACES}


def _place(data: Data) -> str:
    return str(data.origin().get("folder")) if isinstance(data, Original) else type(data).__name__


def _identity(config: ConfigDict, data: Data) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if isinstance(data, Original):
        found["origin"] = dict(data.origin())
    if isinstance(data, Counted):
        found["train"] = data.training_size()._asdict()
    if isinstance(data, Recorded):
        splits = ("train", "validation", "test")
        return found | {"tables": {split: _table(data.records(split).table) for split in splits}}
    first = data.frames_of_batch(0, config.classifier.batch_size)
    found["first_batch"] = _digest("\n".join(map(str, first)).encode())
    return found | {split: _truth(data.truth(split)) for split in ("validation", "test")}


def _table(table: ShotTable) -> str:
    columns = [getattr(table, field.name) for field in fields(table)]
    content = b"".join(column.dtype.str.encode() + column.tobytes() for column in columns)
    return f"{table.num_records} frames, {table.num_shots} shots, {_digest(content)}"


def _truth(truth: Truth) -> str:
    rows = zip(map(str, truth.ids), map(int, truth.labels), truth.sizes, strict=True)
    content = json.dumps([(name, label, *map(int, size)) for name, label, size in rows])
    return f"{len(truth.ids)} frames, {_digest(content.encode())}"


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
