"""`predictions.jsonl`: the records themselves, those of several shards put together."""

import json
from pathlib import Path

from tcam_jax.predict.formats.records import Records
from tcam_jax.predict.result_folder import RECORDS
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.files import writing_whole


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
