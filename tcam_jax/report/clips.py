"""Short clips of whole shots under a method's maps."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tcam_jax.data.records import Split
from tcam_jax.data.shot_table import ShotTable
from tcam_jax.evaluate.boxes import box_of_mask, threshold_level
from tcam_jax.evaluate.maps import OF_LOGITS
from tcam_jax.report.frames import Shown, read_images
from tcam_jax.report.pictures import Figure, moving, panels

CLIPS, FRAMES, FEWEST = 4, 20, 4
SECONDS = 0.2  # each frame is shown

MapsOf = Callable[[Shown, Sequence[int]], Sequence[Mapping[str, np.ndarray]]]


def choose_shots(table: ShotTable) -> list[range]:
    """Return the records of the longest shots, of as many classes as there can be.

    Of each the first `FRAMES` frames; shots of fewer than `FEWEST` are left out.
    """
    lengths = np.minimum(table.stop - table.start, FRAMES)
    chosen: dict[int, int] = {}
    for shot in np.argsort(-lengths, kind="stable").tolist():
        if lengths[shot] >= FEWEST:
            chosen.setdefault(int(table.label[table.start[shot]]), shot)
    shots = list(chosen.values())[:CLIPS]
    return [range(int(table.start[s]), int(table.start[s] + lengths[s])) for s in shots]


def clip(split: Split, records: range, maps: MapsOf, method: str, tau: float | None) -> Figure:
    """Draw one shot.

    Args:
      split: its records.
      records: of the frames.
      maps: (frames shown, labels) -> each frame's maps, see `report.frames.Maps`.
      method: the one shown.
      tau: threshold of the boxes; None: each map's own.
    """
    shown = read_images(split, records)
    images = shown.images
    label = int(split.table.label[records[0]])
    pictures: list[np.ndarray] = []
    for image, made in zip(images, maps(shown, [label] * len(images)), strict=True):
        u8 = made[method]
        scale = np.tile(np.array(image.size) / len(u8), 2)
        level = threshold_level(u8, tau, method in OF_LOGITS)
        box = (box_of_mask(u8 > level) * scale)[None]
        if pictures:  # a clip has one size
            image = image.resize(images[0].size)
        pictures.append(panels(image, u8, np.zeros((0, 4)), box, level))
    name, shot = split.class_names[label], split.read_frame_id(records[0]).rsplit("/", 1)[0]
    alt = f"Clip of {len(images)} frames of {shot}: the box of {method} in red, its region in white"
    return moving(pictures, SECONDS, alt, f"{name}: {shot}, {len(images)} frames")
