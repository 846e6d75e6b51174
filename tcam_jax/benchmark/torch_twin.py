"""The PyTorch twin: the network of `models.tcam` as plain PyTorch, with its usual tensor names.

The other side of the parity tests and of the speed comparisons, and what exported weights load
into. State-dict names are those of the encoder's library behind "encoder.", and those of
segmentation_models_pytorch and of the reference's checkpoints for the decoder. Images are NCHW.

PyTorch is needed here only: `pip install torch`.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tcam_jax.benchmark.torch_encoders import torch_encoder
from tcam_jax.benchmark.torch_resnet import conv
from tcam_jax.models.encoders.encoder import Encoder
from tcam_jax.models.unet import WIDTHS, WIDTHS_OF_ONE_SIZE


class Decoder(nn.Module):
    """The decoder of what an encoder declares: a U-Net, or of one size without skips.

    Blocks whose input has the skip's size already resample nothing.
    """

    def __init__(self, ours: Encoder):
        super().__init__()
        finest, *_, last = ours.features
        self.of_one_size = finest.stride == last.stride
        widths, skips = WIDTHS_OF_ONE_SIZE, [0] * len(WIDTHS_OF_ONE_SIZE)
        if not self.of_one_size:
            skips = [feature.channels for feature in ours.features[-2::-1]]
            skips += [0] if finest.stride > 1 else []
            widths = WIDTHS[: len(skips)]
        self.blocks, channels = nn.ModuleList(), last.channels
        for width, skip in zip(widths, skips, strict=True):
            block = nn.Module()
            block.conv1 = self._layer(channels + skip, width)
            block.conv2 = self._layer(width, width)
            self.blocks.append(block)
            channels = width
        self.channels = channels

    @staticmethod
    def _layer(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(
            conv(inputs, outputs, 3), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
        )

    def forward(self, features: list[Tensor]) -> Tensor:
        """Decode the encoder's features to `[b, c, h, w]`, about as large as the frame."""
        *skips, x = features
        below = [] if self.of_one_size else skips[::-1]
        for i, block in enumerate(self.blocks):
            if i >= len(below):
                x = F.interpolate(x, scale_factor=2, mode="nearest")
            else:
                skip = below[i]
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
    """Encoder and WGAP head: images `[b, 3, h, w]` to class logits `[b, k]`.

    Args:
      num_classes: k.
      ours: what our encoder declares, one of `benchmark.case.WITH_TWIN`.
    """

    def __init__(self, num_classes: int, ours: Encoder):
        super().__init__()
        self.normalisation = ours.normalisation
        self.encoder = torch_encoder(ours)
        self.classification_head = _WGAP(ours.features[-1].channels, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the class logits."""
        return self.classification_head(self.encoder(images)[-1])


class TCAM(Classifier):
    """The whole network: `forward` returns logits `[b, k]`, map logits `[b, 2, h, w]`, features."""

    def __init__(self, num_classes: int, ours: Encoder):
        super().__init__(num_classes, ours)
        self.decoder = Decoder(ours)
        head = nn.Conv2d(self.decoder.channels, 2, 3, padding=1)
        self.segmentation_head = nn.Sequential(head)

    def localise(self, features: list[Tensor], size: tuple[int, int]) -> Tensor:
        """Return the map logits `[b, 2, *size]` (background, foreground)."""
        return _resize(self.segmentation_head(self.decoder(features)), size)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Return logits, map logits and the encoder's features."""
        features = self.encoder(images)
        maps = self.localise(features, tuple(images.shape[2:]))
        return self.classification_head(features[-1]), maps, features
