"""TCAM on photographs: cut-outs moved over photos and videos; ImageNet's EfficientNet-Lite0.

    bash launch/photos.sh photos
    tcam prepare --config=configs/moving_photos.py --manual_dir=photos
    tcam train --config=configs/moving_photos.py --workdir=runs/photos

Data: moving_photos, docs/moving_photos.md; `configs/moving_photos.py:easy`, `:hard` and
`:train_boxes` are its other versions. Not tuned.
"""

from ml_collections import ConfigDict

from tcam_jax.config import defaults
from tcam_jax.runtime.errors import InputError

LEVELS = ("default", "easy", "hard", "train_boxes")


def get_config(level: str = "default") -> ConfigDict:
    if level not in LEVELS:
        raise InputError(f"configs/moving_photos.py knows {', '.join(LEVELS)}, got {level!r}")
    config = defaults.get_config()
    config.dataset.name = "moving_photos"
    config.dataset.config = level
    config.dataset.resize, config.dataset.crop = 182, 160
    config.model.encoder = "efficientnet_lite0"
    config.model.pretrained = "efficientnet_lite0"
    config.model.output_stride = 16
    config.model.decoder_width = 0.5

    config.classifier.batch_size = 32
    config.classifier.epochs, config.classifier.steps = 0, 100
    config.classifier.optimizer.learning_rate = 0.003
    config.classifier.optimizer.schedule = "constant"

    config.tcam.batch_size = 16
    config.tcam.epochs, config.tcam.steps = 0, 150
    config.tcam.optimizer.name = "adamw"
    config.tcam.optimizer.learning_rate = 0.001
    config.tcam.optimizer.schedule = "constant"
    config.tcam.seed_view = "crop"
    config.tcam.seeds.rule = "paper"
    config.tcam.seeds.fg_pixels = config.tcam.seeds.bg_pixels = 64
    config.eval.every_steps = 50
    return config
