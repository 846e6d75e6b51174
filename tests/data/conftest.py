"""Real photographs as a user's folder, and prepared."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

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
