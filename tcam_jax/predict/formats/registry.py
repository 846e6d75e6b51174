"""All formats that are made from records, by name."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from tcam_jax.predict.formats import coco, csv_file, jsonl_file, mot, yolo
from tcam_jax.predict.formats.records import Records
from tcam_jax.predict.result_folder import RECORDS
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.files import cannot_write


class Format(NamedTuple):
    """How a format is written, `write(records, folder)`, and the files or folders it makes."""

    write: Callable[[Records, Path], None]
    results: tuple[str, ...]


FORMATS: dict[str, Format] = {
    "jsonl": Format(jsonl_file.write, (RECORDS,)),
    "csv": Format(csv_file.write, (csv_file.FILE,)),
    "coco": Format(coco.write, (coco.DATASET, coco.RESULTS)),
    "mot": Format(mot.write, (mot.FOLDER,)),
    "yolo": Format(yolo.write, (yolo.FOLDER,)),
}

MASKS = "masks"
"""The one format that records do not suffice for: `masks.MaskWriter` writes it."""


def check_formats(given: Sequence[str], known: Collection[str]) -> list[str]:
    """Return the formats of a flag, each once.

    Raises:
      InputError: there is none, or one that is not known.
    """
    names = list(dict.fromkeys(name.strip() for name in given))
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        why = f"; got {unknown[0]!r}" if unknown else ""
        if unknown == [MASKS]:
            why = ": masks are not in the records, tcam predict --format=masks draws them"
        raise InputError(f"--format takes one or more of {', '.join(known)}{why}.")
    return names


def check_new(folder: Path, formats: Sequence[str]) -> None:
    """Refuse formats, keys of `FORMATS`, whose results are in `folder` already.

    Raises:
      InputError: one is.
    """
    for name in formats:
        for result in FORMATS[name].results:
            if (folder / result).exists():
                raise InputError(
                    f"--output={folder} has {result} already; delete it, or choose another folder."
                )


def convert(records: Records, folder: Path, formats: Sequence[str]) -> list[Path]:
    """Write `records` to `folder` in each of `formats`; earlier results there are replaced.

    Args:
      folder: made if need be.
      formats: keys of `FORMATS`.

    Returns:
      The files and folders that were written.

    Raises:
      InputError: one of them cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    for name in formats:
        FORMATS[name].write(records, folder)
    return [folder / result for name in formats for result in FORMATS[name].results]
