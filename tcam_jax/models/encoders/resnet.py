"""ResNet v1.5 encoders.

The reference keeps the resolution in the last two stages (output stride 8, without dilation), so a
224 px frame gives 28 x 28 features: finer class activation maps from the same ImageNet weights.
Source: He et al., 2016, in the "v1.5" form of torchvision (stride on the 3x3 convolution).
"""

from functools import partial
from typing import ClassVar

import flax.linen as nn
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from tcam_jax.models.batch_norm import BatchNorm
from tcam_jax.models.encoders.encoder import Encoder, Feature, Renaming
from tcam_jax.models.layers import Conv, max_pool, normalised

# depth -> (blocks in each of the four stages, bottleneck blocks?)
ARCHITECTURES = {
    10: ((1, 1, 1, 1), False),
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
}
STAGE_WIDTHS = (64, 128, 256, 512)
# output stride -> stride of each stage
STRIDES = {8: (1, 2, 1, 1), 16: (1, 2, 2, 1), 32: (1, 2, 2, 2)}

_TORCHVISION = Renaming(  # and timm
    "torchvision",
    (
        (r"^layer(\d)_(\d+)", r"layer\1.\2"),
        (r"downsample_conv\b", "downsample.0"),
        (r"downsample_bn\b", "downsample.1"),
    ),
    classes=("fc.",),
)
_TRANSFORMERS = Renaming(
    "transformers",
    (
        (r"^conv1\b", "embedder.embedder.convolution"),
        (r"^bn1\b", "embedder.embedder.normalization"),
        (r"\bconv3\b", "layer.2.convolution"),
        (r"\bconv2\b", "layer.1.convolution"),
        (r"(?<=\.)conv1\b", "layer.0.convolution"),
        (r"\bbn3\b", "layer.2.normalization"),
        (r"\bbn2\b", "layer.1.normalization"),
        (r"(?<=\.)bn1\b", "layer.0.normalization"),
        (r"\bdownsample_conv\b", "shortcut.convolution"),
        (r"\bdownsample_bn\b", "shortcut.normalization"),
        *((rf"^layer{i}_(\d+)", rf"encoder.stages.{i - 1}.layers.\1") for i in range(1, 5)),
    ),
    classes=("classifier.",),
)


class ResidualBlock(nn.Module):
    """A basic (two 3x3) or bottleneck (1x1, 3x3, 1x1) residual block.

    Attributes:
      width: channels of the 3x3 convolutions; a bottleneck puts out four times as many.
      stride: stride of the (first) 3x3 convolution and of the shortcut.
      bottleneck: which of the two forms.
      train, axis_name, dtype: see `Encoder`.
    """

    width: int
    stride: int
    bottleneck: bool
    train: bool
    axis_name: str | None
    dtype: DTypeLike

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b y x d"]:
        """Map `[b, h, w, c]` to `[b, h/stride, w/stride, width (x4)]`."""
        conv = partial(Conv, dtype=self.dtype)
        norm = partial(BatchNorm, train=self.train, axis_name=self.axis_name, dtype=self.dtype)
        if self.bottleneck:
            layers = ((1, 1, self.width), (3, self.stride, self.width), (1, 1, 4 * self.width))
        else:
            layers = ((3, self.stride, self.width), (3, 1, self.width))

        y = x
        for i, (kernel, stride, features) in enumerate(layers, start=1):
            convolution = conv(features, kernel, stride, name=f"conv{i}")
            y = normalised(y, convolution, norm(name=f"bn{i}"))
            if i < len(layers):
                y = nn.relu(y)

        shortcut = x
        if x.shape != y.shape:
            convolution = conv(y.shape[-1], 1, self.stride, name="downsample_conv")
            shortcut = normalised(x, convolution, norm(name="downsample_bn"))
        return nn.relu(y + shortcut)


class ResNet(Encoder):
    """See `Encoder`.

    Attributes:
      depth: 10, 18, 34, 50 or 101.
    """

    depth: int = 50

    last_stage: ClassVar = ("layer4",)
    renamings: ClassVar = (_TORCHVISION, _TRANSFORMERS)

    @property
    def features(self) -> tuple[Feature, ...]:
        """ "stem" (before max-pooling), "layer1" … "layer4"."""
        features, stride = [Feature("stem", 64, 2)], 4
        for i, (width, own) in enumerate(zip(STAGE_WIDTHS, self.strides, strict=True), start=1):
            stride *= own
            channels = 4 * width if ARCHITECTURES[self.depth][1] else width
            features.append(Feature(f"layer{i}", channels, stride))
        return tuple(features)

    @property
    def strides(self) -> tuple[int, int, int, int]:
        """Of the four stages."""
        return STRIDES[self.output_stride]

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], after: str | None = None
    ) -> dict[str, Float[Array, "b y x d"]]:
        """See `Encoder`."""
        done = self.position(after)
        x = x.astype(self.dtype)
        features = {}
        if done == 0:
            conv = Conv(64, 7, 2, dtype=self.dtype, name="conv1")
            norm = BatchNorm(
                train=self.train, axis_name=self.axis_name, dtype=self.dtype, name="bn1"
            )
            features["stem"] = x = nn.relu(normalised(x, conv, norm))
        if done <= 1:
            x = max_pool(x)
        blocks, bottleneck = ARCHITECTURES[self.depth]
        stages = zip(STAGE_WIDTHS, blocks, self.strides, strict=True)
        for stage, (width, count, stride) in enumerate(stages, start=1):
            if stage < done:
                continue
            for i in range(count):
                x = ResidualBlock(
                    width=width,
                    stride=stride if i == 0 else 1,
                    bottleneck=bottleneck,
                    train=self.train,
                    axis_name=self.axis_name,
                    dtype=self.dtype,
                    name=f"layer{stage}_{i}",
                )(x)
            features[f"layer{stage}"] = x
        return features
