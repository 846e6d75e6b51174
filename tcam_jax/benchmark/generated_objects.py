"""A generated dataset in the place of YouTube-Objects: its counts, sizes and files, not its videos.

Written by the real builders' writer, so that a run reads it as it reads the real one. A few
pictures come again and again, since reading and decoding do not depend on what is to be seen; and
shots have four frames where real ones have about a hundred: disk is what is spared. Of pictures so
few the system's cache holds all.
"""

import io
import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from tcam_jax.data.builders.registry import (
    LEAST_VERSIONS,
    prepared_folder,
    read_origin,
    training_size,
)
from tcam_jax.runtime.errors import InputError

NAME = "youtube_objects"
FRAME_SIZE = (1280, 720)  # width and height, pixels
FRAMES_PER_SHOT = 4  # of training; validation and test have one frame a shot, with a box
SHOTS_PER_VIDEO = 20
PICTURES_PER_CLASS = 2
# Some 150 kB a picture; 25 kB where the writer shrinks it to 256 pixels.
JPEG_QUALITY = 90
_TEXTURE, _ROUGHNESS = 2.0, 0.5  # grey levels of single pixels; growth with each doubling of scale


class Counts(NamedTuple):
    """What a split has: shots to train on, frames to validate and to test on."""

    shots: int
    validation: int
    test: int


PUBLISHED: Mapping[str, Counts] = {
    "v1.0": Counts(2768, 325, 346),
    "v2.2": Counts(1289, 1177, 1781),
}
"""The published splits, see docs/youtube_objects.md; `_train256` changes how frames are stored."""


def published_counts(config: str) -> Counts:
    """Return the counts of one of the dataset's configurations, such as "v1.0_train256".

    Raises:
      InputError: it has none of that name.
    """
    version = config.partition("_")[0]
    if version not in PUBLISHED:
        raise InputError(
            f"{NAME} must be one of {', '.join(PUBLISHED)}, or of these with _train256; got "
            f"{config!r}."
        )
    return PUBLISHED[version]


def prepared(data_dir: Path, config: str, counts: Counts) -> bool:
    """Write the dataset below `data_dir`, in another process, unless it is there.

    Another process: what it imports would be missing in this one's start-up.

    Returns:
      Whether it had to be written.

    Raises:
      InputError: another dataset of that name is there.
    """
    folder = prepared_folder(data_dir, NAME, config)
    if folder is None:
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            pool.submit(write_dataset, data_dir, config, counts).result()
        return True
    if read_origin(folder) != _origin(counts):
        raise InputError(
            f"{folder} holds another dataset than the one to be generated; give another --data_dir."
        )
    return False


def _origin(counts: Counts) -> dict[str, Any]:
    return {
        "generated_for": "launch.benchmark_run",
        "frame_size": list(FRAME_SIZE),
        "frames_per_shot": FRAMES_PER_SHOT,
        **counts._asdict(),
    }


def write_dataset(data_dir: Path, config: str, counts: Counts) -> None:
    """Write `youtube_objects/CONFIG` of generated frames below `data_dir`."""
    import tensorflow_datasets as tfds

    # They import TensorFlow.
    from tcam_jax.data.builders.shot_builder import ShotDatasetBuilder
    from tcam_jax.data.builders.sources import SourceBox, SourceFrame, SourceShot
    from tcam_jax.data.builders.youtube_objects.downloads import CLASS_NAMES

    stored = training_size(config)
    pictures = [picture(number) for number in range(PICTURES_PER_CLASS * len(CLASS_NAMES))]
    evaluated = [(_jpeg(image), corners) for image, corners in pictures]
    # Shrunk here: the writer then has less to decode, and stores as much.
    trained = [
        (_jpeg(image.resize((stored, stored)) if stored else image), corners)
        for image, corners in pictures
    ]

    class Generated(ShotDatasetBuilder, skip_registration=True):
        """Shots of generated frames."""

        name = NAME
        VERSION = tfds.core.Version(LEAST_VERSIONS[NAME])
        BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=config, description="Generated frames.")]

        def class_names(self) -> tuple[str, ...]:
            return CLASS_NAMES

        def origin(self) -> dict[str, Any]:
            return _origin(counts)

        def splits(self, findings: Any) -> dict[str, list[SourceShot]]:
            sizes = zip(("train", "validation", "test"), counts, strict=True)
            return {split: [shot(split, i) for i in sorted_by_class(n)] for split, n in sizes}

    def sorted_by_class(count: int) -> list[int]:
        return sorted(range(count), key=lambda number: number % len(CLASS_NAMES))

    def shot(split: str, number: int) -> SourceShot:
        name = CLASS_NAMES[number % len(CLASS_NAMES)]
        video = f"{split}{number // len(CLASS_NAMES) // SHOTS_PER_VIDEO:03d}"
        count = FRAMES_PER_SHOT if split == "train" else 1
        return SourceShot(name, video, f"{number:04d}", count, frames(split, number, name, video))

    def frames(split: str, number: int, name: str, video: str) -> Iterator[SourceFrame]:
        for index in range(FRAMES_PER_SHOT if split == "train" else 1):
            frame_id = f"{name}/{video}/{number:04d}/frame{index:04d}.jpg"
            kind = number % len(CLASS_NAMES) + len(CLASS_NAMES) * (
                (number // len(CLASS_NAMES) + index) % PICTURES_PER_CLASS
            )
            jpeg, corners = (trained if split == "train" else evaluated)[kind]
            boxes = () if split == "train" else (SourceBox(frame_id, corners),)
            yield SourceFrame(frame_id, frame_id, jpeg, boxes)

    logging.getLogger("absl").setLevel(logging.WARNING)
    tfds.disable_progress_bar()
    Generated(config=config, data_dir=data_dir).download_and_prepare(
        download_config=tfds.download.DownloadConfig(try_download_gcs=False)
    )


def picture(seed: int) -> tuple[Image.Image, tuple[float, float, float, float]]:
    """Return a picture of `FRAME_SIZE`, noise of all scales and an ellipse, and the latter's box.

    The box is x0, y0, x1, y1 in pixels.
    """
    rng, (width, height) = np.random.default_rng(seed), FRAME_SIZE
    pixels, scale = np.full((height, width, 3), 128, np.float32), 1
    while scale <= height // 2:
        shape = (-(-height // scale) + 1, -(-width // scale) + 1)
        grey = rng.normal(size=shape)
        amplitude = _TEXTURE * scale**_ROUGHNESS
        for channel in range(3):  # mostly grey, as the world is
            noise = (0.7 * grey + 0.4 * rng.normal(size=shape)).astype(np.float32)
            grown = Image.fromarray(noise).resize(FRAME_SIZE, Image.Resampling.BICUBIC)
            pixels[..., channel] += amplitude * np.asarray(grown)
        scale *= 2
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    x0, y0 = rng.uniform(0.1, 0.4, 2) * FRAME_SIZE
    x1, y1 = rng.uniform(0.6, 0.9, 2) * FRAME_SIZE
    object_, mask = Image.new("RGB", FRAME_SIZE), Image.new("L", FRAME_SIZE)
    colour = tuple(rng.integers(0, 256, 3).tolist())
    ImageDraw.Draw(object_).ellipse((x0, y0, x1, y1), fill=colour)
    ImageDraw.Draw(mask).ellipse((x0, y0, x1, y1), fill=160)
    image.paste(object_, mask=mask)
    return image, (float(x0), float(y0), float(x1), float(y1))


def _jpeg(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()
