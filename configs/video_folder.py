"""TCAM on your own videos, from random weights; the argument is the name of your dataset.

    tcam prepare --config=configs/video_folder.py:NAME --manual_dir=YOUR_FOLDER
    tcam train --config=configs/video_folder.py:NAME --workdir=runs/NAME

Data: YOUR_FOLDER/class/ with video files or folders of frames, and boxes.csv if you have boxes:
docs/your_videos.md. Frames of 128 px (NAME_train256: of 224) and few epochs: a start on one
machine, to be raised on accelerators. Time and score depend on the data.
"""

from ml_collections import ConfigDict

from tcam_jax.config import defaults
from tcam_jax.data.builders import registry


def get_config(name: str = "default") -> ConfigDict:
    config = defaults.get_config()
    config.dataset.name = "video_folder"
    config.dataset.config = name
    config.dataset.options.split_by = "video"  # video | time: how train and test are told apart
    config.dataset.resize, config.dataset.crop = 146, 128
    if stored := registry.training_size(name):  # NAME_train256: they are stored at this size
        config.dataset.resize, config.dataset.crop = stored, stored * 7 // 8
    config.model.encoder = "resnet18"
    config.classifier.epochs = config.tcam.epochs = 20
    config.classifier.batch_size = config.tcam.batch_size = 16
    config.classifier.optimizer.learning_rate = 0.015
    config.classifier.optimizer.new_layers_ratio = 1.0
    config.tcam.seed_view = "crop"
    return config
