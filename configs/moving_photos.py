"""TCAM on photographs: cut-outs moved over photos and videos; the recipe of your own videos.

    bash launch/photos.sh photos
    tcam prepare --config=configs/moving_photos.py --manual_dir=photos
    tcam train --config=configs/moving_photos.py --workdir=runs/photos

Data: moving_photos, docs/moving_photos.md; `configs/moving_photos.py:easy`, `:hard` and
`:train_boxes` are its other versions. All else is as configs/video_folder.py has it, which was
chosen on the validation split of this dataset: docs/results.md has its scores.
"""

from ml_collections import ConfigDict

from configs import video_folder
from tcam_jax.runtime.errors import InputError

LEVELS = ("default", "easy", "hard", "train_boxes")


def get_config(level: str = "default") -> ConfigDict:
    if level not in LEVELS:
        raise InputError(f"configs/moving_photos.py knows {', '.join(LEVELS)}, got {level!r}")
    config = video_folder.get_config()
    config.dataset.name, config.dataset.config = "moving_photos", level
    config.dataset.options = ConfigDict()
    return config
