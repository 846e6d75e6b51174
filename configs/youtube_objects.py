"""TCAM on YouTube-Objects with the published hyper-parameters; argument v1.0 (default) or v2.2.

    tcam prepare --config=configs/youtube_objects.py:v2.2 --manual_dir=YOUR_DOWNLOADS
    tcam train --config=configs/youtube_objects.py:v2.2 --workdir=runs/yto22

The published recipe starts from ImageNet's ResNet50: add --config.model.pretrained=FILE.

Data: YouTube-Objects from its authors, docs/youtube_objects.md. v1.0_train256 and v2.2_train256
store the training frames at the 256 px to which they are resized anyway: much smaller and faster.
With v1.0 and v2.2, --config.tcam.seed_view=source has CAMs of the source frames, as published.
Expected mean CorLoc (the paper's Table 1, its own implementation, tau maximised on test): 73.0 on
v1.0 and 72.2 on v2.2. Not run by us: the data and ImageNet weights are not at hand.
"""

from ml_collections import ConfigDict

from tcam_jax.config import defaults
from tcam_jax.runtime.errors import InputError

VERSIONS = ("v1.0", "v2.2", "v1.0_train256", "v2.2_train256")


def get_config(version: str = "v1.0") -> ConfigDict:
    if version not in VERSIONS:
        raise InputError(
            f"configs/youtube_objects.py takes one of {', '.join(VERSIONS)}, got {version!r}"
        )
    config = defaults.get_config()
    config.dataset.name = "youtube_objects"
    config.dataset.config = version
    config.eval.map, config.eval.other_maps = "probability", ("logit",)
    return config
