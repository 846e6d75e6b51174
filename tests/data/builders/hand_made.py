"""A builder whose shots the test lists, and JPEG files that differ from one another."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from tcam_jax.data.builders.findings import Findings
from tcam_jax.data.builders.shot_builder import ShotDatasetBuilder
from tcam_jax.data.builders.sources import SourceBox, SourceFrame, SourceShot
from tcam_jax.data.records import Split, open_split

Splits = dict[str, list[SourceShot]]


def jpeg(number: int, width: int = 32, height: int = 24) -> bytes:
    """Noise of its own for every number."""
    noise = np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "JPEG")
    return file.getvalue()


def shot(name: str, contents: list[bytes], boxes: dict[int, tuple] | None = None) -> SourceShot:
    """`name`: "class/video/shot"; `boxes`: one box for some frames."""
    frames = []
    for index, content in enumerate(contents):
        frame_id = f"{name}/{index}.jpg"
        found = (boxes or {}).get(index)
        source_boxes = (SourceBox(f"box of {frame_id}", found),) if found else ()
        frames.append(SourceFrame(frame_id, frame_id, content, source_boxes))
    return SourceShot(*name.split("/"), len(frames), frames)


def hand_made(
    data_dir: Path,
    splits: Callable[[], Splits],
    *,
    config: str = "hand",
    classes: tuple[str, ...] = ("a", "b"),
    origin: dict | None = None,
    published: frozenset[str] = frozenset(),
    skip_duplicates: bool = False,
) -> ShotDatasetBuilder:
    """The builder; `splits` is called when it is prepared."""
    published_kinds, skip = published, skip_duplicates

    class HandMade(ShotDatasetBuilder, skip_registration=True):
        name = "video_folder"  # a name that the registry knows
        pkg_dir_path = Path(__file__).parent  # TFDS looks for texts about the dataset there
        BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=config)]
        published = published_kinds
        skip_duplicates = skip

        def class_names(self):
            return list(classes)

        def origin(self):
            return origin or {}

        def splits(self, findings: Findings):
            return splits()

    return HandMade(data_dir=data_dir)


def read(data_dir: Path, split: str, config: str = "hand") -> tuple[Split, list[dict]]:
    """The split, and all of its records."""
    opened = open_split(data_dir, "video_folder", config, split)
    return opened, opened.read(range(opened.table.num_records))
