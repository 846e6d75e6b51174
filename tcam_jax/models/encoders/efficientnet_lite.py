"""EfficientNet-Lite 0 … 4: small, without squeeze-and-excitation, with ReLU6.

Source: Tan and Le, ICML 2019 (blocks, scaling); TensorFlow's EfficientNet-Lite, 2020 (fixed stem
and head, ReLU6, input (x - 127) / 128). Convolutions are padded as TensorFlow's "SAME": where a
stride meets an even size, on the right and at the bottom only.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import ClassVar, NamedTuple

import flax.linen as nn
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from tcam_jax.data.geometry import Normalisation
from tcam_jax.models.batch_norm import BatchNorm
from tcam_jax.models.encoders.encoder import Encoder, Feature, Renaming
from tcam_jax.models.layers import Conv, DepthwiseConv, normalised

# Of Lite 0 … 4: factors of width and depth.
SCALES = ((1.0, 1.0), (1.0, 1.1), (1.1, 1.2), (1.2, 1.4), (1.4, 1.8))
STEM, TOP = 32, 1280


class _Group(NamedTuple):
    repeats: int
    kernel: int
    stride: int
    expansion: int
    width: int


# Of B0, before scaling.
GROUPS = (
    _Group(1, 3, 1, 1, 16),
    _Group(2, 3, 2, 6, 24),
    _Group(2, 5, 2, 6, 40),
    _Group(3, 3, 2, 6, 80),
    _Group(3, 5, 1, 6, 112),
    _Group(4, 5, 2, 6, 192),
    _Group(1, 3, 1, 6, 320),
)
LAST_OF_A_STRIDE = (1, 2, 3, 5)  # groups, counted from 1: what the next group's stride ends


class Block(NamedTuple):
    """The form of an inverted residual; `width` is what it puts out."""

    width: int
    kernel: int
    stride: int
    expansion: int
    dilation: int


def rounded(width: float) -> int:
    """Return the multiple of 8 nearest to `width`, and not more than a tenth below it."""
    near = max(8, int(width + 4) // 8 * 8)
    return near + 8 if near < 0.9 * width else near


class InvertedResidual(nn.Module):
    """Expansion (1x1), depthwise convolution, projection (1x1); added to its input if it may be.

    Source: Sandler et al., CVPR 2018.

    Attributes:
      block: its form.
      train, axis_name, dtype: see `Encoder`.
    """

    block: Block
    train: bool
    axis_name: str | None
    dtype: DTypeLike

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b y x d"]:
        """Map `[b, h, w, c]` to `[b, ceil(h / stride), ceil(w / stride), width]`."""
        block = self.block
        norm = _norm(self)
        y = x
        if block.expansion != 1:
            expand = Conv(block.expansion * x.shape[-1], 1, dtype=self.dtype, name="expand")
            y = nn.relu6(normalised(y, expand, norm(name="expand_bn")))
        depthwise = DepthwiseConv(
            block.kernel, block.stride, block.dilation, dtype=self.dtype, name="depthwise"
        )
        y = nn.relu6(normalised(y, depthwise, norm(name="depthwise_bn")))
        project = Conv(block.width, 1, dtype=self.dtype, name="project")
        y = normalised(y, project, norm(name="project_bn"))
        return x + y if x.shape == y.shape else y


class EfficientNetLite(Encoder):
    """See `Encoder`. Left-out strides are made up for by dilation, as in DeepLab.

    Attributes:
      number: 0 … 4.
    """

    number: int = 0
    output_stride: int = 16

    normalisation: ClassVar = Normalisation((127 / 255,) * 3, (128 / 255,) * 3)
    last_stage: ClassVar = ("group6", "group7", "top")

    @property
    def features(self) -> tuple[Feature, ...]:
        """ "group1", "group2", "group3", "group5", "top": the last of each resolution."""
        features, stride = [], 2
        for number, blocks in enumerate(self.groups, start=1):
            stride *= math.prod(block.stride for block in blocks)
            if number in LAST_OF_A_STRIDE:
                features.append(Feature(f"group{number}", blocks[-1].width, stride))
        return (*features, Feature("top", TOP, stride))

    @property
    def groups(self) -> list[list[Block]]:
        """The blocks, scaled, with strides and dilations for `output_stride`."""
        by_width, by_depth = SCALES[self.number]
        groups, stride, dilation = [], 2, 1
        for group in GROUPS:
            fixed = group in (GROUPS[0], GROUPS[-1])  # in depth, as stem and top in width
            count = group.repeats if fixed else math.ceil(group.repeats * by_depth)
            blocks = []
            for i in range(count):
                own = group.stride if i == 0 else 1
                kept = own if stride * own <= self.output_stride else 1
                width = rounded(group.width * by_width)
                blocks.append(Block(width, group.kernel, kept, group.expansion, dilation))
                stride, dilation = stride * kept, dilation * (own // kept)
            groups.append(blocks)
        return groups

    @property
    def renamings(self) -> tuple[Renaming, ...]:
        """Of the pip packages of each number, and of timm."""
        names = [
            (group, i) for group, blocks in enumerate(self.groups, 1) for i in range(len(blocks))
        ]
        package = (
            *((rf"^group{g}_{i}\b", f"_blocks.{n}") for n, (g, i) in enumerate(names)),
            (r"^stem\b", "_conv_stem"),
            (r"^stem_bn\b", "_bn0"),
            (r"^top\b", "_conv_head"),
            (r"^top_bn\b", "_bn1"),
            (r"\bexpand\b", "_expand_conv"),
            (r"\bexpand_bn\b", "_bn0"),
            (r"\bdepthwise\b", "_depthwise_conv"),
            (r"\bdepthwise_bn\b", "_bn1"),
            (r"\bproject\b", "_project_conv"),
            (r"\bproject_bn\b", "_bn2"),
        )
        timm = (
            (r"^stem\b", "conv_stem"),
            (r"^stem_bn\b", "bn1"),
            (r"^top\b", "conv_head"),
            (r"^top_bn\b", "bn2"),
            (r"^(group1_\d+)\.project\b", r"\1.conv_pw"),
            (r"^(group1_\d+)\.project_bn\b", r"\1.bn2"),
            (r"^(group1_\d+)\.depthwise_bn\b", r"\1.bn1"),
            (r"\bexpand\b", "conv_pw"),
            (r"\bexpand_bn\b", "bn1"),
            (r"\bdepthwise\b", "conv_dw"),
            (r"\bdepthwise_bn\b", "bn2"),
            (r"\bproject\b", "conv_pwl"),
            (r"\bproject_bn\b", "bn3"),
            *((rf"^group{g}_(\d+)", rf"blocks.{g - 1}.\1") for g in range(1, 8)),
        )
        return Renaming("efficientnet-lite-pytorch", package, ("_fc.",)), Renaming(
            "timm", timm, ("classifier.",)
        )

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], after: str | None = None
    ) -> dict[str, Float[Array, "b y x d"]]:
        """See `Encoder`."""
        done = (0, *LAST_OF_A_STRIDE)[self.position(after)]  # groups
        norm = _norm(self)
        x = x.astype(self.dtype)
        if done == 0:
            stem = Conv(STEM, 3, 2, padding="SAME", dtype=self.dtype, name="stem")
            x = nn.relu6(normalised(x, stem, norm(name="stem_bn")))
        features = {}
        for number, blocks in enumerate(self.groups, start=1):
            if number <= done:
                continue
            for i, block in enumerate(blocks):
                shared = self.train, self.axis_name, self.dtype
                x = InvertedResidual(block, *shared, name=f"group{number}_{i}")(x)
            if number in LAST_OF_A_STRIDE:
                features[f"group{number}"] = x
        top = Conv(TOP, 1, dtype=self.dtype, name="top")
        features["top"] = nn.relu6(normalised(x, top, norm(name="top_bn")))
        return features


def _norm(module: nn.Module) -> Callable[..., BatchNorm]:
    # The published momentum, 0.99, is for training from random weights: after a hundred steps from
    # ImageNet's, a third of the running statistics would still be ImageNet's.
    return partial(
        BatchNorm,
        train=module.train,
        axis_name=module.axis_name,
        dtype=module.dtype,
        epsilon=1e-3,
    )
