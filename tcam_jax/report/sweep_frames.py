"""A few frames of a split under the map of each row of a sweep."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from tcam_jax.config.record import load_config
from tcam_jax.data.records import Split
from tcam_jax.data.truth import Truth
from tcam_jax.evaluate.boxes import box_of_mask, threshold_level
from tcam_jax.evaluate.frame_lines import read_frame_lines
from tcam_jax.evaluate.maps import OF_DECODER, OF_LOGITS
from tcam_jax.evaluate.results import find_row, read_results
from tcam_jax.report.frames import Maps, read_images
from tcam_jax.report.pictures import Figure, panels, still
from tcam_jax.runs.networks import fitting, load_networks
from tcam_jax.runtime.parallel import Parallel
from tcam_jax.train.stages import make_model

FRAMES = 8
"""So many frames at most, each of another class."""


class RowOnFrames(NamedTuple):
    """A row whose maps are drawn.

    Attributes:
      title: of the row.
      method: whose map.
      rule: its threshold without boxes.
      folder: of the run.
    """

    title: str
    method: str
    rule: str | None
    folder: Path


def frames_shown(truth: Truth) -> list[int]:
    """Return places of frames in `truth`: the middle one of each class, of `FRAMES` at most."""
    labels = np.unique(truth.labels)
    chosen = labels[np.linspace(0, len(labels) - 1, min(FRAMES, len(labels))).astype(int)]
    of_classes = (np.flatnonzero(truth.labels == label) for label in chosen)
    return [int(members[len(members) // 2]) for members in of_classes]


def row_pictures(
    row: RowOnFrames, frames: Sequence[int], records: Split, truth: Truth, split: str
) -> list[Figure]:
    """Return a picture of each frame: the boxes on it, beside it its map.

    Args:
      row: whose network, by its threshold without boxes.
      frames: places in `truth`.
      records, truth: of the split.
      split: its name.

    Raises:
      InputError: the run is not whole.
    """
    config, classes = load_config(row.folder), len(records.class_names)
    parallel = Parallel(config.parallel, jax.devices()[:1])
    networks = load_networks(config, row.folder, classes, parallel)
    network = networks.seeds
    if row.method in OF_DECODER and networks.tcam is not None:
        network = networks.tcam
    maps = Maps(make_model(config, classes), {row.method: network.variables}, config, parallel)
    shown = read_images(records, truth.records[list(frames)].tolist())
    with fitting(row.folder):
        made = maps(shown, truth.labels[list(frames)].tolist())
    tau = find_row(read_results(row.folder, split), row.method, row.rule)["tau"]
    lines = {line["id"]: line for line in read_frame_lines(row.folder, split)}
    figures = []
    for frame, image, of_frame in zip(frames, shown.images, made, strict=True):
        u8 = of_frame[row.method]
        level = threshold_level(
            u8, tau if isinstance(tau, float) else None, row.method in OF_LOGITS
        )
        scale = np.tile(np.array(image.size) / len(u8), 2)
        box = (box_of_mask(u8 > level) * scale)[None]
        true_boxes = np.asarray(truth.boxes[frame], float)
        name = truth.ids[frame]
        overlap = (
            lines[name].get("iou_without_boxes", {}).get(row.method) if name in lines else None
        )
        iou = "" if overlap is None else f", IoU {overlap:.2f}"
        alt = (
            f"{name} by {row.title}: {len(true_boxes)} true boxes in green, its box in red{iou}; "
            "beside it the frame under its map, the region in white"
        )
        picture = panels(image, u8, true_boxes, box, level)
        figures.append(still(picture, alt, f"{row.title}{iou}"))
    return figures
