"""`yolo/`: labels as Ultralytics trains on, a file for each frame."""

import json
import re
from pathlib import Path

from tcam_jax.data.class_names import check_class_names
from tcam_jax.predict.formats.record import Record
from tcam_jax.predict.formats.records import Records
from tcam_jax.predict.formats.whole_folder import whole_folder

FOLDER = "yolo"

# What JSON may hold as it is and YAML may not, or takes for a line break.
_NOT_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def write(records: Records, folder: Path) -> None:
    """Write `yolo/labels/NAME.txt` for each frame, `classes.txt` and `data.yaml`.

    Lines are class (from 0), centre x, centre y, width, height in shares of the frame; a frame
    without a box has an empty file. There is no confidence: a sixth column is no label to train on.
    Frame 12 of `a.mp4`, counted from 0, is `a_13`, as Ultralytics and `ffmpeg a_%d.jpg` name it.

    Raises:
      InputError: they cannot be written, or a class has a name that is no line.
    """
    check_class_names(records.classes, f"{records.paths[0]}")
    number = {name: place for place, name in enumerate(records.classes)}
    with whole_folder(folder / FOLDER) as target:
        classes = "".join(f"{name}\n" for name in records.classes)
        (target / "classes.txt").write_text(classes, encoding="utf-8")
        names = _NOT_YAML.sub(_escaped, json.dumps(records.classes, ensure_ascii=False))
        (target / "data.yaml").write_text(
            f"train: images\nval: images\nnc: {len(number)}\nnames: {names}\n", encoding="utf-8"
        )
        labels, made = target / "labels", set[Path]()
        for record in records:
            name = records.outputs[record["file"]]
            if record["time"] is not None:
                name += f"_{record['frame'] + 1}"
            path = labels / f"{name}.txt"
            if path.parent not in made:
                path.parent.mkdir(parents=True, exist_ok=True)
                made.add(path.parent)
            with path.open("x") as file:
                file.writelines(_lines(record, number[record["class"]]))


def _escaped(character: "re.Match[str]") -> str:
    return f"\\u{ord(character[0]):04x}"


def _lines(record: Record, number: int) -> list[str]:
    width, height = record["width"], record["height"]
    return [
        f"{number} {(x0 + x1) / 2 / width:.10g} {(y0 + y1) / 2 / height:.10g} "
        f"{(x1 - x0) / width:.10g} {(y1 - y0) / height:.10g}\n"
        for x0, y0, x1, y1 in record["boxes"]
    ]
