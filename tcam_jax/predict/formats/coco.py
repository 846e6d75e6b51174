"""`coco.json`, a dataset in COCO's format, and `coco_results.json`, its results' list."""

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from tcam_jax.predict.formats.names import frame_name
from tcam_jax.predict.formats.record import Record, confidences, tracks
from tcam_jax.predict.formats.records import Records
from tcam_jax.runtime.files import writing_whole

DATASET, RESULTS = "coco.json", "coco_results.json"


def write(records: Records, folder: Path) -> None:
    """Write both files, one element at a time; images and categories count from 1.

    `pycocotools` loads the first by `COCO` and the second by `loadRes`, which takes no dataset.

    Raises:
      InputError: one of them cannot be written.
    """
    categories = [{"id": number, "name": name} for number, name in enumerate(records.classes, 1)]
    with writing_whole(folder / DATASET) as file:
        file.write('{"info": {"description": "tcam predict"}, "licenses": [],\n"categories": ')
        _write_list(file, categories)
        file.write(',\n"images": ')
        _write_list(file, _images(records))
        file.write(',\n"annotations": ')
        _write_list(file, _annotations(records))
        file.write("}\n")
    with writing_whole(folder / RESULTS) as file:
        kept = ("image_id", "category_id", "bbox", "score")
        _write_list(file, ({key: found[key] for key in kept} for found in _annotations(records)))
        file.write("\n")


def _write_list(file: TextIO, elements: Iterable[dict[str, Any]]) -> None:
    separator = "[\n"
    for element in elements:
        file.write(separator + json.dumps(element))
        separator = ",\n"
    file.write("[]" if separator == "[\n" else "\n]")


def _images(records: Records) -> Iterator[dict[str, Any]]:
    for number, record in enumerate(records, 1):
        yield {
            "id": number,
            "file_name": frame_name(record, records.names),
            "width": record["width"],
            "height": record["height"],
        }


def _annotations(records: Records) -> Iterator[dict[str, Any]]:
    category = {name: number for number, name in enumerate(records.classes, 1)}
    count = 0
    for number, record in enumerate(records, 1):
        for box, confidence, track in _boxes(record):
            count += 1
            annotation = {
                "id": count,
                "image_id": number,
                "category_id": category[record["class"]],
                "bbox": box,
                "area": box[2] * box[3],
                "iscrowd": 0,
                "segmentation": [],
                "score": confidence,
            }
            yield annotation if track is None else annotation | {"track_id": track}


def _boxes(record: Record) -> Iterator[tuple[list[float], float, int | None]]:
    found = zip(record["boxes"], confidences(record), tracks(record), strict=True)
    for (x0, y0, x1, y1), confidence, track in found:
        yield [x0, y0, _length(x0, x1), _length(y0, y1)], confidence, track


def _length(start: float, end: float) -> float:
    """`end - start`, rounded so that `start` plus it is not outside of a frame that ends there."""
    length = end - start
    while start + length > end:
        length = math.nextafter(length, 0)
    return length
