"""Lines as `tcam predict` writes them, of images and videos with awkward names."""

import json
from pathlib import Path

CLASSES = ("cat", 'sea, "horse" of Ü', "=dog")


def record(file: str, frame: int = 0, time: float | None = None, **changes) -> dict:
    """A line's content, by default without boxes."""
    return {
        "file": file,
        "frame": frame,
        "time": time,
        "width": 640,
        "height": 480,
        "class": "cat",
        "probability": 0.75,
        "probabilities": dict(zip(CLASSES, (0.75, 0.2, 0.05), strict=True)),
        "boxes": [],
        "scores": [],
    } | changes


def write_lines(path: Path, *records: dict) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in records))
    return path


BOXES = {
    "boxes": [[212.3, 80.1, 640.0, 480.0], [0.0, 0.0, 3.7, 1 / 3]],
    "scores": [0.81, 0.4],
}

IMAGES = [
    record("in/cats/img10.jpg"),
    record('in/cats/img2,\n"=two".png', **BOXES, **{"class": "=dog"}),
]
VIDEO = [
    record("in/b c.mp4", 0, 0.0, width=1921, height=1081, **BOXES, tracks=[7, 3]),
    record("in/b c.mp4", 5, 0.2, width=1921, height=1081, tracks=[]),
    record("in/b c.mp4", 10, 0.4, width=1921, height=1081, **BOXES, tracks=[3, 9]),
]
