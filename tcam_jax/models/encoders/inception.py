"""InceptionV3, with the layout and the names of torchvision and timm.

As published, a good part of its layers is not padded: of 224 px 5 places are left, which do not lie
evenly over the frame. That is the network at output stride 32, for comparisons. At 8 and 16, for
localisation, every layer is padded by half its kernel, and later strides are left out without
dilation: at 8, 224 px give 28 x 28 features as in the literature (Choe et al., CVPR 2020).

Source: Szegedy et al., CVPR 2016. The auxiliary classifier is left out.
"""

from typing import Any, ClassVar, Literal

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from tcam_jax.data.geometry import Normalisation
from tcam_jax.models.batch_norm import BatchNorm
from tcam_jax.models.encoders.encoder import Encoder, Feature, Renaming
from tcam_jax.models.layers import Conv, max_pool, normalised
from tcam_jax.runtime.errors import InputError

_UNPADDED_STRIDE = 32
_LEAST = 75  # pixels of an unpadded frame, of which one place is left

Padding = Literal["VALID"] | None


class _Block(nn.Module):
    """What all blocks have: units of convolution, batch norm and ReLU.

    Attributes:
      train, axis_name, dtype: see `Encoder`.
      stride, padding: of the layers that reduce, where a block has any.
    """

    train: bool
    axis_name: str | None
    dtype: DTypeLike
    stride: int = 1
    padding: Padding = None

    def unit(
        self,
        x: Array,
        name: str,
        width: int,
        kernel: int | tuple[int, int] = 1,
        *,
        reduces: bool = False,
    ) -> Array:
        options = {"stride": self.stride, "padding": self.padding} if reduces else {}
        return _Unit(width, kernel, self.train, self.axis_name, self.dtype, **options, name=name)(x)


class _Unit(nn.Module):
    width: int
    kernel: int | tuple[int, int]
    train: bool
    axis_name: str | None
    dtype: DTypeLike
    stride: int = 1
    padding: Padding = None

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b y x d"]:
        conv = Conv(
            self.width, self.kernel, self.stride, self.padding, dtype=self.dtype, name="conv"
        )
        norm = BatchNorm(self.train, self.axis_name, self.dtype, epsilon=1e-3, name="bn")
        return nn.relu(normalised(x, conv, norm))


class Mixed5(_Block):
    """Figure 5 of the paper, with a 5x5 convolution; `pooled` channels of the average."""

    pooled: int = 64

    @nn.compact
    def __call__(self, x: Float[Array, "b y x c"]) -> Float[Array, "b y x d"]:
        """Map `[b, y, x, c]` to `[b, y, x, 224 + pooled]`."""
        point = self.unit(x, "branch1x1", 64)
        five = self.unit(x, "branch5x5_1", 48)
        five = self.unit(five, "branch5x5_2", 64, 5)
        three = self.unit(x, "branch3x3dbl_1", 64)
        three = self.unit(three, "branch3x3dbl_2", 96, 3)
        three = self.unit(three, "branch3x3dbl_3", 96, 3)
        pooled = self.unit(_average(x), "branch_pool", self.pooled)
        return jnp.concatenate((point, five, three, pooled), -1)


class Mixed6(_Block):
    """Figure 6: 7x7 convolutions as 1x7 and 7x1, of `width` channels inside."""

    width: int = 192

    @nn.compact
    def __call__(self, x: Float[Array, "b y x c"]) -> Float[Array, "b y x d"]:
        """Map `[b, y, x, c]` to `[b, y, x, 768]`."""
        point = self.unit(x, "branch1x1", 192)
        once = self.unit(x, "branch7x7_1", self.width)
        once = self.unit(once, "branch7x7_2", self.width, (1, 7))
        once = self.unit(once, "branch7x7_3", 192, (7, 1))
        twice = self.unit(x, "branch7x7dbl_1", self.width)
        twice = self.unit(twice, "branch7x7dbl_2", self.width, (7, 1))
        twice = self.unit(twice, "branch7x7dbl_3", self.width, (1, 7))
        twice = self.unit(twice, "branch7x7dbl_4", self.width, (7, 1))
        twice = self.unit(twice, "branch7x7dbl_5", 192, (1, 7))
        pooled = self.unit(_average(x), "branch_pool", 192)
        return jnp.concatenate((point, once, twice, pooled), -1)


class Mixed7(_Block):
    """Figure 7: 3x3 convolutions as 1x3 beside 3x1."""

    @nn.compact
    def __call__(self, x: Float[Array, "b y x c"]) -> Float[Array, "b y x d"]:
        """Map `[b, y, x, c]` to `[b, y, x, 2048]`."""
        point = self.unit(x, "branch1x1", 320)
        once = self.unit(x, "branch3x3_1", 384)
        twice = self.unit(x, "branch3x3dbl_1", 448)
        twice = self.unit(twice, "branch3x3dbl_2", 384, 3)
        split = [
            self.unit(y, f"{name}{end}", 384, kernel)
            for y, name in ((once, "branch3x3_2"), (twice, "branch3x3dbl_3"))
            for end, kernel in (("a", (1, 3)), ("b", (3, 1)))
        ]
        pooled = self.unit(_average(x), "branch_pool", 192)
        return jnp.concatenate((point, *split, pooled), -1)


class Reduction6(_Block):
    """Before the blocks of figure 6: figure 10."""

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b y x d"]:
        """Map `[b, h, w, c]` to `[b, h/stride, w/stride, 480 + c]`, to less if unpadded."""
        once = self.unit(x, "branch3x3", 384, 3, reduces=True)
        twice = self.unit(x, "branch3x3dbl_1", 64)
        twice = self.unit(twice, "branch3x3dbl_2", 96, 3)
        twice = self.unit(twice, "branch3x3dbl_3", 96, 3, reduces=True)
        return jnp.concatenate((once, twice, max_pool(x, self.stride, self.padding)), -1)


class Reduction7(_Block):
    """Before the blocks of figure 7."""

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b y x d"]:
        """Map `[b, h, w, c]` to `[b, h/stride, w/stride, 512 + c]`, to less if unpadded."""
        three = self.unit(x, "branch3x3_1", 192)
        three = self.unit(three, "branch3x3_2", 320, 3, reduces=True)
        seven = self.unit(x, "branch7x7x3_1", 192)
        seven = self.unit(seven, "branch7x7x3_2", 192, (1, 7))
        seven = self.unit(seven, "branch7x7x3_3", 192, (7, 1))
        seven = self.unit(seven, "branch7x7x3_4", 192, 3, reduces=True)
        return jnp.concatenate((three, seven, max_pool(x, self.stride, self.padding)), -1)


class InceptionV3(Encoder):
    """See `Encoder`."""

    # torchvision's own frames are normalised by ImageNet's numbers, and its `transform_input` makes
    # (x - 0.5) / 0.5 of them, with which TensorFlow trained the weights.
    normalisation: ClassVar = Normalisation((0.5,) * 3, (0.5,) * 3)
    last_stage: ClassVar = ("Mixed_7",)
    renamings: ClassVar = (Renaming("torchvision", (), classes=("AuxLogits.", "fc.")),)

    @property
    def features(self) -> tuple[Feature, ...]:
        """The last of each resolution, by torchvision's names: before poolings and reductions."""
        return (
            Feature("Conv2d_2b_3x3", 64, 2),
            Feature("Conv2d_4a_3x3", 192, 4),
            Feature("Mixed_5d", 288, 8),
            Feature("Mixed_6e", 768, min(16, self.output_stride)),
            Feature("Mixed_7c", 2048, self.output_stride),
        )

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], after: str | None = None
    ) -> dict[str, Float[Array, "b y x d"]]:
        """See `Encoder`.

        Raises:
          InputError: at output stride 32, a frame is smaller than 75 x 75 pixels.
        """
        padding: Padding = "VALID" if self.output_stride == _UNPADDED_STRIDE else None
        if padding and after is None and min(x.shape[1:3]) < _LEAST:
            raise InputError(
                f"frames of inception_v3 at output stride {_UNPADDED_STRIDE} must have at least "
                f"{_LEAST} x {_LEAST} pixels; these have {x.shape[1]} x {x.shape[2]}. Set "
                "config.model.output_stride to 16 or 8, or dataset.crop higher."
            )
        shared: dict[str, Any] = {
            "train": self.train,
            "axis_name": self.axis_name,
            "dtype": self.dtype,
        }
        done = self.position(after)
        x, features = x.astype(self.dtype), {}
        if done < 1:
            x = _Unit(32, 3, stride=2, padding=padding, **shared, name="Conv2d_1a_3x3")(x)
            x = _Unit(32, 3, padding=padding, **shared, name="Conv2d_2a_3x3")(x)
            features["Conv2d_2b_3x3"] = x = _Unit(64, 3, **shared, name="Conv2d_2b_3x3")(x)
        if done < 2:
            x = _Unit(80, 1, **shared, name="Conv2d_3b_1x1")(max_pool(x, padding=padding))
            x = _Unit(192, 3, padding=padding, **shared, name="Conv2d_4a_3x3")(x)
            features["Conv2d_4a_3x3"] = x
        if done < 3:
            x = max_pool(x, padding=padding)
            for i, pooled in zip("bcd", (32, 64, 64), strict=True):
                x = Mixed5(**shared, pooled=pooled, name=f"Mixed_5{i}")(x)
            features["Mixed_5d"] = x
        if done < 4:
            stride = 2 if self.output_stride > 8 else 1
            x = Reduction6(**shared, stride=stride, padding=padding, name="Mixed_6a")(x)
            for i, width in zip("bcde", (128, 160, 160, 192), strict=True):
                x = Mixed6(**shared, width=width, name=f"Mixed_6{i}")(x)
            features["Mixed_6e"] = x
        stride = 2 if self.output_stride > 16 else 1
        x = Reduction7(**shared, stride=stride, padding=padding, name="Mixed_7a")(x)
        for i in "bc":
            x = Mixed7(**shared, name=f"Mixed_7{i}")(x)
        return features | {"Mixed_7c": x}


def _average(x: Float[Array, "b y x c"]) -> Float[Array, "b y x c"]:
    """Take the mean of every 3x3 window, zeros beyond the border among them."""
    return nn.avg_pool(x, (3, 3), (1, 1), "SAME")
