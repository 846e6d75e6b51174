"""`boxes.json`: boxes of a user's frames in the format of COCO's annotations."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tcam_jax.data.builders.findings import Finding, Findings
from tcam_jax.data.builders.sources import SourceBox
from tcam_jax.data.builders.video_folder.named_boxes import (
    NOT_AS_EXPECTED,
    BoxFile,
    NamedBox,
    from_sizes,
    stated_size,
)
from tcam_jax.runtime.errors import InputError


class _Image(NamedTuple):
    frame: str
    size: tuple[int, int] | None


def read_coco(path: Path, findings: Findings) -> BoxFile:
    """Reads `images` (`id`, `file_name`), `annotations` (`image_id`, `bbox`) and `categories`.

    `bbox` is x, y, width, height in pixels. Entries that are none, crowds, annotations without a
    box and boxes that were rotated (an attribute of CVAT's) are left out and noted.

    Raises:
        InputError: the file is no JSON, or has no lists `images` and `annotations`.
    """
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as JSON ({error}); export it again") from error
    images, annotations = (_list(content, key) for key in ("images", "annotations"))
    if images is None or annotations is None:
        got = f"the keys {', '.join(content)[:200]}" if isinstance(content, dict) else "a list"
        raise InputError(
            f"{path}: expected COCO's annotations (an object with the lists images and "
            f"annotations), got {got}; export COCO, or write boxes.csv"
        )
    frames = _frames(path, images, findings)
    labels = _labels(_list(content, "categories") or [])
    boxes = list(_boxes(path, annotations, frames, labels, findings))
    return BoxFile(path, boxes, "sizes", False)


def _list(content: Any, key: str) -> list[Any] | None:
    found = content.get(key) if isinstance(content, dict) else None
    return found if isinstance(found, list) else None


def _frames(path: Path, images: list[Any], findings: Findings) -> dict[Any, _Image]:
    frames: dict[Any, _Image] = {}
    for place, image in enumerate(images):
        try:
            number, name = image["id"], image["file_name"]
            if not isinstance(name, str) or number in frames:
                raise ValueError
        except NOT_AS_EXPECTED:
            wanted = f"expected file_name and an id that no other image has, got {str(image)[:200]}"
            findings.add(Finding("box_malformed", f"{path} image {place}", wanted))
            continue
        frames[number] = _Image(name.strip(), stated_size(image))
    return frames


def _labels(categories: list[Any]) -> dict[Any, str]:
    """Names by number, for what is named; labels are not needed."""
    labels = {}
    for category in categories:
        try:
            labels[category["id"]] = str(category["name"])
        except NOT_AS_EXPECTED:
            continue
    return labels


def _boxes(
    path: Path,
    annotations: list[Any],
    frames: dict[Any, _Image],
    labels: dict[Any, str],
    findings: Findings,
) -> Iterator[NamedBox]:
    for place, annotation in enumerate(annotations):
        where = f"{path} annotation {place}"
        try:
            where = f"{path} annotation {annotation.get('id', place)}"
            image = frames[annotation["image_id"]]
            shape, box = _other_shape(annotation), annotation.get("bbox")
            corners = None if shape else from_sizes(box if isinstance(box, list) else [])
            label = labels.get(annotation.get("category_id"))
        except (*NOT_AS_EXPECTED, AttributeError):
            wanted = "expected the image_id of an image and a bbox of four numbers"
            detail = f"{wanted}, got {str(annotation)[:200]}"
            findings.add(Finding("box_malformed", where, detail))
            continue
        if corners is None:
            findings.add(Finding("box_other_shape", where, shape))
            continue
        named = () if label is None else (label,)
        yield NamedBox(image.frame, SourceBox(where, corners, image.size), named)


def _other_shape(annotation: dict[str, Any]) -> str:
    """What the annotation is, where it is no upright box of one object."""
    if annotation.get("iscrowd"):
        return "it is a crowd"
    if annotation.get("segmentation") and not annotation.get("bbox"):
        return "it is a segmentation without a bbox"
    attributes = annotation.get("attributes")
    angle = attributes.get("rotation") if isinstance(attributes, dict) else None
    return f"it is rotated by {angle} degrees" if angle else ""
