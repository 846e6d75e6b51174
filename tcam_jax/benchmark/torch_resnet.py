"""The twin's ResNet encoder, with torchvision's names."""

from torch import Tensor, nn
from torch.nn import functional as F

from tcam_jax.models.encoders.resnet import ARCHITECTURES, STAGE_WIDTHS
from tcam_jax.models.encoders.resnet import ResNet as OurResNet


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """Return a convolution without bias, padded by half its kernel."""
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
            self.add_module(f"conv{i}", conv(channels, outputs, kernel, step))
            self.add_module(f"bn{i}", nn.BatchNorm2d(outputs))
            channels = outputs
        self.outputs = channels
        self.downsample = None
        if stride != 1 or inputs != channels:
            self.downsample = nn.Sequential(
                conv(inputs, channels, 1, stride), nn.BatchNorm2d(channels)
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
    """The encoder that `ours` declares."""

    last_stage = ("layer4.",)

    def __init__(self, ours: OurResNet):
        super().__init__()
        blocks, bottleneck = ARCHITECTURES[ours.depth]
        self.conv1, self.bn1 = conv(3, 64, 7, 2), nn.BatchNorm2d(64)
        channels = 64
        stages = zip(STAGE_WIDTHS, blocks, ours.strides, strict=True)
        for stage, (width, count, stride) in enumerate(stages, start=1):
            layer = nn.Sequential()
            for i in range(count):
                layer.append(Block(channels, width, stride if i == 0 else 1, bottleneck))
                channels = layer[-1].outputs
            self.add_module(f"layer{stage}", layer)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the stem's features (before max-pooling) and those of every stage."""
        features = [F.relu(self.bn1(self.conv1(images)))]
        x = F.max_pool2d(features[0], 3, 2, 1)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            features.append(x)
        return features
