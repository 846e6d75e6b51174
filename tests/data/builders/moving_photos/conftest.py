"""A tiny folder of cut-outs, photos and a video, all drawn here."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tcam_jax.data.builders.findings import Findings
from tcam_jax.data.builders.moving_photos.script import SPLITS, SplitSize
from tcam_jax.data.builders.moving_photos.sources import (
    background_files,
    class_folders,
    split_sources,
)

TINY = {
    "train": SplitSize(videos=2, shots=2, frames=3),
    "validation": SplitSize(videos=1, shots=1, frames=3),
    "test": SplitSize(videos=1, shots=2, frames=3),
}
CLASSES = ("disc", "gem", "stick")


def write_cutout(file: Path, shape: str, colour, size: int = 60) -> None:
    """A disc, a lying rhombus or a standing ellipse of one colour, cut out softly."""
    half = {"disc": (1, 1), "gem": (1, 0.6), "stick": (0.3, 1)}[shape]
    y, x = np.mgrid[-1.1 : 1.1 : size * 1j, -1.1 : 1.1 : size * 1j]
    x, y = np.abs(x) / half[0], np.abs(y) / half[1]
    distance = x + y if shape == "gem" else np.hypot(x, y)
    alpha = np.clip((1 - distance) * size / 4 + 0.5, 0, 1)[..., None]
    pixels = np.concatenate([np.broadcast_to(np.array(colour) / 255, (size, size, 3)), alpha], 2)
    Image.fromarray(np.rint(255 * pixels).astype(np.uint8)).save(file)


@pytest.fixture(scope="package")
def folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("cutouts_and_backgrounds")
    rng = np.random.default_rng(0)
    for name in CLASSES:
        (root / "cutouts" / name).mkdir(parents=True)
        for number in range(4):
            file = root / "cutouts" / name / f"{number}.png"
            write_cutout(file, name, rng.integers(40, 256, 3), 50 + 10 * number)
    (root / "backgrounds").mkdir()
    for number in range(5):
        coarse = rng.integers(0, 256, (7, 9, 3), np.uint8)
        photo = Image.fromarray(coarse).resize((320 + 10 * number, 260), Image.Resampling.BICUBIC)
        photo.save(root / "backgrounds" / f"{number}.jpg")
    video = cv2.VideoWriter(
        str(root / "backgrounds" / "rain.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, (128, 96)
    )
    for number in range(9):
        video.write(np.full((96, 128, 3), 20 * number, np.uint8))
    video.release()
    return root


@pytest.fixture
def tiny(monkeypatch) -> dict[str, SplitSize]:
    """Sets the generator to tiny splits for one test."""
    for split, size in TINY.items():
        monkeypatch.setitem(SPLITS, split, size)
    return TINY


@pytest.fixture(scope="package")
def sources(folder):
    findings = Findings()
    return split_sources(class_folders(folder, findings), background_files(folder, findings), 0)
