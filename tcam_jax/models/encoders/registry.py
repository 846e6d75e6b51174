"""Encoders by the names that `config.model.encoder` takes."""

from collections.abc import Callable
from functools import partial

from ml_collections import ConfigDict

from tcam_jax.models.encoders.efficientnet_lite import EfficientNetLite
from tcam_jax.models.encoders.encoder import Encoder
from tcam_jax.models.encoders.inception import InceptionV3
from tcam_jax.models.encoders.resnet import ResNet
from tcam_jax.models.encoders.vgg import VGG16
from tcam_jax.models.encoders.vit import ViT

_DINOV2 = partial(ViT, patch=14, output_stride=14, trained_size=518, layer_scale=True)

ENCODERS: dict[str, Callable[..., Encoder]] = {
    **{f"resnet{depth}": partial(ResNet, depth=depth) for depth in (10, 18, 34, 50, 101)},
    "vgg16": VGG16,
    "inception_v3": InceptionV3,
    **{f"efficientnet_lite{i}": partial(EfficientNetLite, number=i) for i in range(5)},
    "vit_small_patch16": ViT,
    "deit_small_patch16": ViT,
    "dinov2_small_patch14": _DINOV2,
    "dinov2_small_patch14_registers": partial(_DINOV2, registers=4, antialias=True),
}
"""name -> encoder, given `output_stride`, `train`, `axis_name`, `dtype`; a user's own join them."""


def backbone(config: ConfigDict) -> Callable[..., Encoder]:
    """Return what makes the encoder of `config`, given what differs while training."""
    options = dict(config.model.encoder_options)
    if config.model.output_stride is not None:
        options["output_stride"] = config.model.output_stride
    return partial(ENCODERS[config.model.encoder], **options)
