"""What a line of `predictions.jsonl` must hold; `Prediction.to_dict` makes it."""

import math
import os
from collections.abc import Mapping
from typing import Any

from tcam_jax.runtime.shapes import LARGEST, ROUNDING, shown

Record = Mapping[str, Any]

FIELDS = (
    "file",
    "frame",
    "time",
    "width",
    "height",
    "class",
    "probability",
    "probabilities",
    "boxes",
    "scores",
)


def fault_of(record: object) -> str:
    """Say in words what is wrong with a line's content; "" where nothing is."""
    if not isinstance(record, dict):
        return "it is no object"
    missing = [name for name in FIELDS if name not in record]
    if missing:
        return (
            f"it has no {', '.join(missing)}: expected what tcam predict writes (tcam evaluate and "
            "earlier versions write other lines)"
        )
    if record["file"] is None:
        return "its file is null: a frame in memory has no name to write results under"
    boxes, scores, tracks = record["boxes"], record["scores"], record.get("tracks")
    # By hand: `shapes.fitted` takes ten times as long, and there may be millions of lines.
    checks = {
        "file": isinstance(record["file"], str) and _is_name(record["file"]),
        "frame": _is_count(record["frame"]),
        "time": record["time"] is None or _is_number(record["time"]),
        "width": _is_count(record["width"]) and record["width"] > 0,
        "height": _is_count(record["height"]) and record["height"] > 0,
        "class": isinstance(record["class"], str),
        "probability": _is_share(record["probability"]),
        "probabilities": isinstance(record["probabilities"], dict)
        and all(map(_is_share, record["probabilities"].values())),
        "boxes": isinstance(boxes, list) and all(map(_is_box, boxes)),
        "scores": isinstance(scores, list) and all(map(_is_share, scores)),
        "tracks": tracks is None or isinstance(tracks, list) and all(map(_is_track, tracks)),
    }
    wrong = [name for name, right in checks.items() if not right]
    if wrong:
        return f"{wrong[0]} is {shown(record[wrong[0]])}"
    if record["class"] not in record["probabilities"]:
        return f"class is {shown(record['class'])}, probabilities has no such class"
    if len(scores) != len(boxes) or len(boxes) != len(boxes if tracks is None else tracks):
        return "boxes, scores and tracks differ in length"
    return ""


def confidences(record: Record) -> list[float]:
    """Return probability times score of each box, as `Prediction.confidences`."""
    return [record["probability"] * score for score in record["scores"]]


def tracks(record: Record) -> list[int | None]:
    """Return the number of what each box follows; None where boxes were not tracked."""
    found: list[int | None] | None = record.get("tracks")
    return [None] * len(record["boxes"]) if found is None else found


def _is_name(text: str) -> bool:
    """Whether some system may call a file so."""
    try:
        return text != "" and b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:  # half of a pair, which no bytes stand for
        return False


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= LARGEST


def _is_track(value: object) -> bool:
    return value is None or _is_count(value)


def _is_share(value: object) -> bool:
    return _is_number(value) and -ROUNDING <= value <= 1 + ROUNDING  # type: ignore[operator]


def _is_number(value: object) -> bool:
    if type(value) is int:  # of any length
        return abs(value) <= LARGEST
    return type(value) is float and math.isfinite(value)


def _is_box(value: object) -> bool:
    if not isinstance(value, list) or len(value) != 4 or not all(map(_is_number, value)):
        return False
    return value[0] <= value[2] and value[1] <= value[3]
