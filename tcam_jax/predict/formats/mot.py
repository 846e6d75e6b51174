"""`mot/`: text in MOTChallenge's format, a file for each video and each folder of images."""

import posixpath
from collections import Counter
from itertools import groupby
from pathlib import Path

from tcam_jax.predict.formats.names import distinct
from tcam_jax.predict.formats.record import Record, confidences, tracks
from tcam_jax.predict.formats.records import Records
from tcam_jax.predict.formats.whole_folder import whole_folder

FOLDER = "mot"


def write(records: Records, folder: Path) -> None:
    """Write `mot/NAME.txt` for each sequence.

    Lines are frame, track (-1 without), left, top, width, height, confidence, -1, -1, -1. Frames
    and pixels count from 1, as https://motchallenge.net/instructions has them: the frame's corner
    is at 1, 1. A video's frames keep their numbers; the images of a folder are counted.

    Raises:
      InputError: they cannot be written.
    """
    sequences = _sequences(records)
    seen: Counter[str] = Counter()
    with whole_folder(folder / FOLDER) as target:

        def sequence(record: Record) -> str:
            file = record["file"]
            if record["time"] is not None:
                return records.outputs[file]
            return sequences[posixpath.dirname(records.names[file])]

        for name, found in groupby(records, sequence):
            path = target / f"{name}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a") as file:  # folders between a folder's images part them
                for record in found:
                    seen[name] += 1
                    is_image = record["time"] is None
                    number = seen[name] if is_image else record["frame"] + 1
                    file.writelines(_lines(record, number))


def _sequences(records: Records) -> dict[str, str]:
    """What the images of each folder are called: as the folder, those in the root as that."""
    folders = {posixpath.dirname(name) for name in records.names.values()}
    own = records.root.name or "images"
    while own in folders | set(records.outputs.values()):
        own += "_"
    called = {folder: folder or own for folder in folders}
    names = distinct(called.values(), records.outputs.values())
    return {folder: names[name] for folder, name in called.items()}


def _lines(record: Record, number: int) -> list[str]:
    found = zip(record["boxes"], confidences(record), tracks(record), strict=True)
    return [
        f"{number},{-1 if track is None else track},{x0 + 1:.10g},{y0 + 1:.10g},"
        f"{x1 - x0:.10g},{y1 - y0:.10g},{confidence:.10g},-1,-1,-1\n"
        for (x0, y0, x1, y1), confidence, track in found
    ]
