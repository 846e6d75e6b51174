"""The demo: both stages on the generated dataset moving_shapes, on two CPU cores.

    bash launch/demo.sh                            # from nothing, boxes from the refined map
    tcam train --config=configs/demo.py --workdir=runs/demo

Data: moving_shapes (generated, no download). Time and scores: README.md.
`configs/demo.py:resnet50` is the full-size network at 64 px.
"""

from ml_collections import ConfigDict

from tcam_jax.config import defaults
from tcam_jax.runtime.errors import InputError


def get_config(variant: str = "resnet18") -> ConfigDict:
    config = defaults.get_config()
    config.dataset.name = "moving_shapes"
    sizes = {"resnet18": (92, 80), "resnet50": (73, 64)}
    if variant not in sizes:
        raise InputError(f"configs/demo.py knows {', '.join(sizes)}, got {variant!r}")
    config.model.encoder = variant
    config.dataset.resize, config.dataset.crop = sizes[variant]

    # From random weights: one learning rate for every layer.
    config.classifier.batch_size = 16
    config.classifier.epochs = 7
    config.classifier.optimizer.learning_rate = 0.012
    config.classifier.optimizer.new_layers_ratio = 1.0
    config.classifier.optimizer.step_epochs = 3
    config.classifier.optimizer.gamma = 0.3

    config.tcam.batch_size = 16
    config.tcam.epochs = 4
    config.tcam.optimizer.step_epochs = 2
    config.tcam.optimizer.gamma = 0.3
    config.tcam.seed_view = "crop"
    config.tcam.losses.crf.weight *= 4  # chosen on validation: few steps need a strong hand
    return config
