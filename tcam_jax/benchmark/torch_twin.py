"""The PyTorch twin: the network of `models.tcam` as plain PyTorch, with its usual tensor names.

The other side of the parity tests and of the speed comparisons, and what exported weights load
into. State-dict names are torchvision's for the ResNet behind "encoder.", and those of
segmentation_models_pytorch and of the reference's checkpoints for the U-Net. Images are NCHW.

PyTorch is needed here only: `pip install torch`.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tcam_jax.models.encoders.resnet import ARCHITECTURES, STAGE_WIDTHS
from tcam_jax.models.unet import WIDTHS


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)


class Block(nn.Module):
    """A basic or bottleneck residual block, "v1.5": the stride is on the 3x3 convolution."""

    def __init__(self, inputs: int, width: int, stride: int, bottleneck: bool):
        super().__init__()
        if bottleneck:
            layers = ((1, 1, width), (3, stride, width), (1, 1, 4 * width))
        else:
            layers = ((3, stride, width), (3, 1, width))
        self.depth, channels = len(layers), inputs
        for i, (kernel, step, outputs) in enumerate(layers, start=1):
            self.add_module(f"conv{i}", _conv(channels, outputs, kernel, step))
            self.add_module(f"bn{i}", nn.BatchNorm2d(outputs))
            channels = outputs
        self.outputs = channels
        self.downsample = None
        if stride != 1 or inputs != channels:
            self.downsample = nn.Sequential(
                _conv(inputs, channels, 1, stride), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map `[b, c, h, w]` to `[b, outputs, h/stride, w/stride]`."""
        y = x
        for i in range(1, self.depth + 1):
            y = self.get_submodule(f"bn{i}")(self.get_submodule(f"conv{i}")(y))
            if i < self.depth:
                y = F.relu(y)
        shortcut = x if self.downsample is None else self.downsample(x)
        return F.relu(y + shortcut)


class ResNet(nn.Module):
    """The encoder; `models.encoders.resnet.ResNet` says what its arguments mean."""

    def __init__(self, depth: int, strides: tuple[int, int, int, int]):
        super().__init__()
        blocks, bottleneck = ARCHITECTURES[depth]
        self.conv1, self.bn1 = _conv(3, 64, 7, 2), nn.BatchNorm2d(64)
        channels = 64
        self.channels = [channels]  # of the stem and of every stage
        stages = zip(STAGE_WIDTHS, blocks, strides, strict=True)
        for stage, (width, count, stride) in enumerate(stages, start=1):
            layer = nn.Sequential()
            for i in range(count):
                layer.append(Block(channels, width, stride if i == 0 else 1, bottleneck))
                channels = layer[-1].outputs
            self.add_module(f"layer{stage}", layer)
            self.channels.append(channels)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the stem's features (before max-pooling) and those of every stage."""
        features = [F.relu(self.bn1(self.conv1(images)))]
        x = F.max_pool2d(features[0], 3, 2, 1)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            features.append(x)
        return features


class Decoder(nn.Module):
    """The U-Net decoder; blocks whose input has the skip's size already resample nothing."""

    def __init__(self, encoder_channels: list[int]):
        super().__init__()
        *skips, channels = encoder_channels
        self.blocks = nn.ModuleList()
        for width, skip in zip(WIDTHS, [*reversed(skips), 0], strict=True):
            block = nn.Module()
            block.conv1 = self._layer(channels + skip, width)
            block.conv2 = self._layer(width, width)
            self.blocks.append(block)
            channels = width

    @staticmethod
    def _layer(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(
            _conv(inputs, outputs, 3), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
        )

    def forward(self, features: list[Tensor]) -> Tensor:
        """Decode the encoder's features to `[b, 16, 2 * stem height, 2 * stem width]`."""
        *skips, x = features
        for block, skip in zip(self.blocks, [*reversed(skips), None], strict=True):
            if skip is None:
                x = F.interpolate(x, scale_factor=2, mode="nearest")
            else:
                if x.shape[2:] != skip.shape[2:]:
                    x = F.interpolate(x, scale_factor=2, mode="nearest")
                    x = _resize(x, tuple(skip.shape[2:]))
                x = torch.cat([x, skip], dim=1)
            x = block.conv2(block.conv1(x))
        return x


def _resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    if x.shape[2:] == size:
        return x
    return F.interpolate(x, size=size, mode="bilinear", align_corners=True)


class _WGAP(nn.Module):
    def __init__(self, channels: int, num_classes: int):
        super().__init__()
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, features: Tensor) -> Tensor:
        return self.fc(features.mean((2, 3)))


class Classifier(nn.Module):
    """Encoder and WGAP head: images `[b, 3, h, w]` to class logits `[b, k]`."""

    def __init__(
        self,
        num_classes: int,
        depth: int = 50,
        strides: tuple[int, int, int, int] = (1, 2, 1, 1),
    ):
        super().__init__()
        self.encoder = ResNet(depth, strides)
        self.classification_head = _WGAP(self.encoder.channels[-1], num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the class logits."""
        return self.classification_head(self.encoder(images)[-1])


class TCAM(Classifier):
    """The whole network: `forward` returns logits `[b, k]`, map logits `[b, 2, h, w]`, features."""

    def __init__(
        self,
        num_classes: int,
        depth: int = 50,
        strides: tuple[int, int, int, int] = (1, 2, 1, 1),
    ):
        super().__init__(num_classes, depth, strides)
        self.decoder = Decoder(self.encoder.channels)
        self.segmentation_head = nn.Sequential(nn.Conv2d(WIDTHS[-1], 2, 3, padding=1))

    def localise(self, features: list[Tensor], size: tuple[int, int]) -> Tensor:
        """Return the map logits `[b, 2, *size]` (background, foreground)."""
        return _resize(self.segmentation_head(self.decoder(features)), size)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Return logits, map logits and the encoder's features."""
        features = self.encoder(images)
        maps = self.localise(features, tuple(images.shape[2:]))
        return self.classification_head(features[-1]), maps, features
