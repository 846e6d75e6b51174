"""Two small prepared datasets: real photographs as a user's folder, and a tiny moving_shapes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from tcam_jax.data.builders.moving_shapes_frames import SPLITS, SplitSize
from tcam_jax.data.builders.registry import prepare

# Larger and smaller than what the tests resize to; odd sizes; one portrait and one grey photo.
PHOTOS = {
    "coffee": lambda: data.coffee(),
    "chelsea": lambda: data.chelsea()[:287, :451],
    "astronaut": lambda: data.astronaut()[:301, :173],
    "rocket": lambda: data.rocket()[100:151, 200:277],
    "camera": lambda: data.camera()[:129, :260],
}


def write_photo_folder(root: Path, videos: int, shots: int, frames: int) -> Path:
    """Two classes of small JPEG files, every one different; shot s of a video has s frames more."""
    photos = [photo() for photo in PHOTOS.values()]
    number = 0
    for class_name in ("cup", "pet"):
        for video in range(videos):
            for shot in range(shots):
                folder = root / class_name / f"video{video}" / f"shot{shot}"
                folder.mkdir(parents=True)
                for frame in range(frames + shot):
                    photo = np.roll(photos[number % len(photos)], 3 * number, axis=1)
                    quality = (75, 90, 95)[number % 3]
                    Image.fromarray(photo).save(folder / f"{frame}.jpg", quality=quality)
                    number += 1
    return root


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory) -> Path:
    """The source: 2 classes x 4 videos x 2 shots of 3 and 4 frames; boxes in one class only."""
    root = write_photo_folder(tmp_path_factory.mktemp("photos"), videos=4, shots=2, frames=3)
    files = sorted(root.glob("cup/*/*/*.jpg"))
    lines = [f"{file.relative_to(root).as_posix()},1,2.5,30,40" for file in files]
    lines.append(f"{files[0].relative_to(root).as_posix()},0,0,77,51")
    (root / "boxes.csv").write_text("\n".join(["frame,x0,y0,x1,y1", *lines]) + "\n")
    return root


@pytest.fixture(scope="session")
def photo_data(tmp_path_factory, photo_folder) -> Path:
    """data_dir with `video_folder/photos` prepared."""
    data_dir = tmp_path_factory.mktemp("data")
    prepare("video_folder", "photos", data_dir, photo_folder)
    return data_dir


TINY = {
    "train": SplitSize(videos=2, shots=2, frames=3),
    "validation": SplitSize(videos=1, shots=2, frames=2),
    "test": SplitSize(videos=1, shots=1, frames=2),
}


@pytest.fixture
def tiny_splits(monkeypatch) -> dict[str, SplitSize]:
    """Sets the generator to the sizes of `shapes_data` for one test."""
    for split, size in TINY.items():
        monkeypatch.setitem(SPLITS, split, size)
    return TINY


@pytest.fixture(scope="session")
def shapes_data(tmp_path_factory) -> Path:
    """data_dir with a tiny `moving_shapes` prepared in both configurations."""
    data_dir = tmp_path_factory.mktemp("shapes")
    with pytest.MonkeyPatch.context() as patch:
        for split, size in TINY.items():
            patch.setitem(SPLITS, split, size)
        for config in ("default", "train_boxes"):
            prepare("moving_shapes", config, data_dir)
    return data_dir
