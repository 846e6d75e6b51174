"""ResNet v1.5 encoders with configurable stage strides.

The reference keeps the resolution in the last two stages (strides 1, 2, 1, 1), so a 224 px frame
gives 28 x 28 features: finer class activation maps from the same ImageNet weights.
Source: He et al., 2016, in the "v1.5" form of torchvision (stride on the 3x3 convolution).
"""

from collections.abc import Mapping
from functools import partial

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from tcam_jax.models.batch_norm import BatchNorm
from tcam_jax.models.layers import Conv, max_pool

# depth -> (blocks in each of the four stages, bottleneck blocks?)
ARCHITECTURES = {
    10: ((1, 1, 1, 1), False),
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
}
STAGE_WIDTHS = (64, 128, 256, 512)
FEATURES = ("stem", "layer1", "layer2", "layer3", "layer4")
"""Names of the encoder's features, from the finest to the last."""


class ResidualBlock(nn.Module):
    """A basic (two 3x3) or bottleneck (1x1, 3x3, 1x1) residual block.

    Attributes:
      width: channels of the 3x3 convolutions; a bottleneck puts out four times as many.
      stride: stride of the (first) 3x3 convolution and of the shortcut.
      bottleneck: which of the two forms.
      train, axis_name, dtype: see `ResNet`.
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
            y = norm(name=f"bn{i}")(conv(features, kernel, stride, name=f"conv{i}")(y))
            if i < len(layers):
                y = nn.relu(y)

        shortcut = x
        if x.shape != y.shape:
            shortcut = conv(y.shape[-1], 1, self.stride, name="downsample_conv")(x)
            shortcut = norm(name="downsample_bn")(shortcut)
        return nn.relu(y + shortcut)


class ResNet(nn.Module):
    """The encoder: a normalised frame in, the features of every stage out.

    Attributes:
      depth: 10, 18, 34, 50 or 101.
      strides: stride of each of the four stages; (1, 2, 1, 1) gives output stride 8.
      train: batch norm uses and updates batch statistics.
      axis_name: device axis for synchronised batch norm, or None.
      dtype: dtype of the computation; parameters stay float32.
    """

    depth: int
    strides: tuple[int, int, int, int] = (1, 2, 1, 1)
    train: bool = False
    axis_name: str | None = None
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], after: str | None = None
    ) -> Mapping[str, Float[Array, "b y x d"]]:
        """Return {"stem" (before max-pooling), "layer1" … "layer4"}, each `[b, y, x, c]`.

        Args:
          x: normalised frames `[b, h, w, 3]`, or one of these features to go on from.
          after: the name of that feature; what follows it is computed and returned.
        """
        done = 0 if after is None else FEATURES.index(after) + 1
        x = x.astype(self.dtype)
        features = {}
        if done == 0:
            x = Conv(64, 7, 2, dtype=self.dtype, name="conv1")(x)
            norm = BatchNorm(
                train=self.train, axis_name=self.axis_name, dtype=self.dtype, name="bn1"
            )
            features["stem"] = x = nn.relu(norm(x))
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
