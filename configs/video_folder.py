"""TCAM on your own videos, without boxes; the argument is the name of your dataset.

    tcam prepare --config=configs/video_folder.py:NAME --manual_dir=YOUR_FOLDER
    tcam train --config=configs/video_folder.py:NAME --workdir=runs/NAME

Data: YOUR_FOLDER/class/ with video files or folders of frames, and boxes.csv if you have boxes:
docs/your_videos.md. ImageNet's EfficientNet-Lite0 (installed with the rest) at 160 px
(NAME_train256: 224), as many steps as two CPU cores do in ten minutes, whatever the videos are.
Score: it depends on the data.
"""

from ml_collections import ConfigDict

from tcam_jax.config import defaults
from tcam_jax.data.builders import registry


def get_config(name: str = "default") -> ConfigDict:
    config = defaults.get_config()
    config.dataset.name = "video_folder"
    config.dataset.config = name
    config.dataset.options.split_by = "video"  # video | time: how train and test are told apart
    config.dataset.frames_per_shot = 16  # a long shot has more to show than one frame
    config.dataset.balanced = True  # a class of few videos is not passed over
    config.dataset.background = "background"  # a folder of videos that show none of the classes
    config.dataset.resize, config.dataset.crop = 182, 160
    if stored := registry.training_size(name):  # NAME_train256: they are stored at this size
        config.dataset.resize, config.dataset.crop = stored, stored * 7 // 8

    config.model.encoder = config.model.pretrained = "efficientnet_lite0"
    config.model.decoder_width = 0.5

    config.classifier.epochs, config.classifier.steps = 0, 100
    config.classifier.batch_size = 32
    config.classifier.optimizer.learning_rate = 0.003
    config.classifier.optimizer.schedule = "constant"

    config.tcam.epochs, config.tcam.steps = 0, 150
    config.tcam.batch_size = 16
    config.tcam.optimizer.name = "adamw"  # SGD takes several times as many steps
    config.tcam.optimizer.learning_rate = 0.001
    config.tcam.optimizer.schedule = "constant"
    config.tcam.seed_view = "crop"
    config.tcam.align_seeds = True
    config.tcam.seeds.rule = "paper"
    config.tcam.seeds.fg_pixels = config.tcam.seeds.bg_pixels = 64
    config.tcam.losses.crf.weight = 2e-8  # ten times the paper's: edges show within the few steps
    config.eval.every = "50 steps"
    config.eval.map = "crf"
    config.eval.other_maps = ("logit", "probability", "fused")
    return config
