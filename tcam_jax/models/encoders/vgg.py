"""VGG16: thirteen 3x3 convolutions, without batch norm.

Source: Simonyan and Zisserman, ICLR 2015, configuration D, without its last max-pooling and the
layers above. At output stride 8 the one before is left out too, without dilation, as in the
literature of weakly supervised localisation (Choe et al., CVPR 2020).
"""

from typing import ClassVar

import flax.linen as nn
from jaxtyping import Array, Float

from tcam_jax.models.encoders.encoder import Encoder, Feature, Renaming
from tcam_jax.models.layers import Conv, halve_by_maximum

# Channels and convolutions of each block.
BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
# Places of the convolutions in torchvision's Sequential, between ReLUs and poolings.
_TORCHVISION = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))


class VGG16(Encoder):
    """See `Encoder`."""

    output_strides: ClassVar = (8, 16)
    last_stage: ClassVar = ("block5",)
    renamings: ClassVar = (
        Renaming(
            "torchvision",
            tuple(
                (rf"^block{block}_{i}\b", f"features.{place}")
                for block, places in enumerate(_TORCHVISION, start=1)
                for i, place in enumerate(places)
            ),
            classes=("classifier.", "pre_logits.", "head."),
        ),
    )

    @property
    def features(self) -> tuple[Feature, ...]:
        """ "block1" … "block5", each before its max-pooling."""
        return tuple(
            Feature(f"block{i}", channels, min(2 ** (i - 1), self.output_stride))
            for i, (channels, _) in enumerate(BLOCKS, start=1)
        )

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], after: str | None = None
    ) -> dict[str, Float[Array, "b y x d"]]:
        """See `Encoder`."""
        x, stride, features = x.astype(self.dtype), 1, {}
        for number, (feature, (channels, count)) in enumerate(
            zip(self.features, BLOCKS, strict=True), start=1
        ):
            halved, stride = feature.stride > stride, feature.stride
            if number <= self.position(after):
                continue
            if halved:
                x = halve_by_maximum(x)
            for i in range(count):
                conv = Conv(channels, 3, use_bias=True, dtype=self.dtype, name=f"block{number}_{i}")
                x = nn.relu(conv(x))
            features[feature.name] = x
        return features
