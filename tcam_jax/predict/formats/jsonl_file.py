"""`predictions.jsonl`: the records themselves, those of several shards put together."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from tcam_jax.predict.formats.records import Records
from tcam_jax.predict.result_folder import RECORDS
from tcam_jax.predict.shards import FOLDERS
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.files import writing_whole


def check_apart(folder: Path, inputs: Iterable[Path], paths: Iterable[Path]) -> None:
    """Refuse a folder in which the lines that are put together would be found beside their sources.

    Args:
      folder: of the result.
      inputs: files of lines, or folders that hold some at any depth.
      paths: the files of lines that they lead to.

    Raises:
      InputError: `folder` is, or lies below, one of `inputs`, or holds shards of `paths`.
    """
    real = Path(os.path.realpath(folder))  # `Path.resolve` raises where links form a loop
    read = {real, *real.parents} & {one.resolve() for one in inputs}
    shards = [path.resolve().parent for path in paths if path.resolve().parent.match(FOLDERS)]
    if read or any(shard.parent == real for shard in shards):
        raise InputError(
            f"--output={folder} must lie outside of the inputs for --format=jsonl: frames in its "
            f"{RECORDS} and in those that it is made from would be there twice. Choose a new "
            "folder beside them."
        )


def write(records: Records, folder: Path) -> None:
    """Write all lines into one file, in the order of `records`.

    Raises:
      InputError: it is one of those that are read, or cannot be written.
    """
    path = folder / RECORDS
    if path.resolve() in {source.resolve() for source in records.paths}:
        raise InputError(f"{path} is what the results are made from; choose another --output.")
    with writing_whole(path) as file:
        file.writelines(json.dumps(record) + "\n" for record in records)
