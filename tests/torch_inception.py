"""InceptionV3 in PyTorch, as torchvision lays it out and names it.

Written from Szegedy et al., CVPR 2016 and torchvision's list of tensors; as published, or for
localisation (`localising`).
"""

import torch
from torch import nn
from torch.nn import functional as F

FEATURES = ("Conv2d_2b_3x3", "Conv2d_4a_3x3", "Mixed_5d", "Mixed_6e", "Mixed_7c")


class Unit(nn.Module):
    """torchvision's BasicConv2d."""

    def __init__(self, channels, width, kernel, stride=1, padding=0):
        super().__init__()
        self.conv = nn.Conv2d(channels, width, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(width, eps=1e-3)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


def _average(x):
    return F.avg_pool2d(x, 3, stride=1, padding=1)


class InceptionA(nn.Module):
    def __init__(self, channels, pooled):
        super().__init__()
        self.branch1x1 = Unit(channels, 64, 1)
        self.branch5x5_1 = Unit(channels, 48, 1)
        self.branch5x5_2 = Unit(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = Unit(channels, 64, 1)
        self.branch3x3dbl_2 = Unit(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Unit(96, 96, 3, padding=1)
        self.branch_pool = Unit(channels, pooled, 1)

    def forward(self, x):
        five = self.branch5x5_2(self.branch5x5_1(x))
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), five, three, self.branch_pool(_average(x))], 1)


class InceptionB(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.branch3x3 = Unit(channels, 384, 3, stride=2)
        self.branch3x3dbl_1 = Unit(channels, 64, 1)
        self.branch3x3dbl_2 = Unit(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Unit(96, 96, 3, stride=2)
        self.pool = nn.MaxPool2d(3, 2)

    def forward(self, x):
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), three, self.pool(x)], 1)


class InceptionC(nn.Module):
    def __init__(self, width):
        super().__init__()
        flat, upright = {"kernel": (1, 7), "padding": (0, 3)}, {"kernel": (7, 1), "padding": (3, 0)}
        self.branch1x1 = Unit(768, 192, 1)
        self.branch7x7_1 = Unit(768, width, 1)
        self.branch7x7_2 = Unit(width, width, **flat)
        self.branch7x7_3 = Unit(width, 192, **upright)
        self.branch7x7dbl_1 = Unit(768, width, 1)
        self.branch7x7dbl_2 = Unit(width, width, **upright)
        self.branch7x7dbl_3 = Unit(width, width, **flat)
        self.branch7x7dbl_4 = Unit(width, width, **upright)
        self.branch7x7dbl_5 = Unit(width, 192, **flat)
        self.branch_pool = Unit(768, 192, 1)

    def forward(self, x):
        once = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        twice = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        twice = self.branch7x7dbl_5(self.branch7x7dbl_4(twice))
        return torch.cat([self.branch1x1(x), once, twice, self.branch_pool(_average(x))], 1)


class InceptionD(nn.Module):
    def __init__(self):
        super().__init__()
        self.branch3x3_1 = Unit(768, 192, 1)
        self.branch3x3_2 = Unit(192, 320, 3, stride=2)
        self.branch7x7x3_1 = Unit(768, 192, 1)
        self.branch7x7x3_2 = Unit(192, 192, (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = Unit(192, 192, (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = Unit(192, 192, 3, stride=2)
        self.pool = nn.MaxPool2d(3, 2)

    def forward(self, x):
        seven = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x)))
        three = self.branch3x3_2(self.branch3x3_1(x))
        return torch.cat([three, self.branch7x7x3_4(seven), self.pool(x)], 1)


class InceptionE(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.branch1x1 = Unit(channels, 320, 1)
        self.branch3x3_1 = Unit(channels, 384, 1)
        self.branch3x3_2a = Unit(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3_2b = Unit(384, 384, (3, 1), padding=(1, 0))
        self.branch3x3dbl_1 = Unit(channels, 448, 1)
        self.branch3x3dbl_2 = Unit(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = Unit(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = Unit(384, 384, (3, 1), padding=(1, 0))
        self.branch_pool = Unit(channels, 192, 1)

    def forward(self, x):
        once, twice = self.branch3x3_1(x), self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        once = [self.branch3x3_2a(once), self.branch3x3_2b(once)]
        twice = [self.branch3x3dbl_3a(twice), self.branch3x3dbl_3b(twice)]
        return torch.cat([self.branch1x1(x), *once, *twice, self.branch_pool(_average(x))], 1)


class AuxLogits(nn.Module):
    """Only for its tensors."""

    def __init__(self, classes):
        super().__init__()
        self.conv0 = Unit(768, 128, 1)
        self.conv1 = Unit(128, 768, 5)
        self.fc = nn.Linear(768, classes)


class InceptionV3(nn.Module):
    """The whole network; 299 px give 8 x 8 places, 224 px 5 x 5."""

    def __init__(self, classes=1000):
        super().__init__()
        self.Conv2d_1a_3x3 = Unit(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = Unit(32, 32, 3)
        self.Conv2d_2b_3x3 = Unit(32, 64, 3, padding=1)
        self.maxpool1 = nn.MaxPool2d(3, 2)
        self.Conv2d_3b_1x1 = Unit(64, 80, 1)
        self.Conv2d_4a_3x3 = Unit(80, 192, 3)
        self.maxpool2 = nn.MaxPool2d(3, 2)
        self.Mixed_5b = InceptionA(192, 32)
        self.Mixed_5c = InceptionA(256, 64)
        self.Mixed_5d = InceptionA(288, 64)
        self.Mixed_6a = InceptionB(288)
        self.Mixed_6b = InceptionC(128)
        self.Mixed_6c = InceptionC(160)
        self.Mixed_6d = InceptionC(160)
        self.Mixed_6e = InceptionC(192)
        self.AuxLogits = AuxLogits(classes)
        self.Mixed_7a = InceptionD()
        self.Mixed_7b = InceptionE(1280)
        self.Mixed_7c = InceptionE(2048)
        self.fc = nn.Linear(2048, classes)

    def forward(self, x):
        """Return class logits `[b, classes]`."""
        return self.fc(self.encode(x)["Mixed_7c"].mean((2, 3)))

    def encode(self, x):
        """Return what `FEATURES` names, each `[b, c, y, x]`."""
        found = {}
        for name, module in self.named_children():
            if name not in ("AuxLogits", "fc"):
                x = module(x)
                found[name] = x
        return {name: found[name] for name in FEATURES}


def localising(network, output_stride):
    """Pad every layer by half its kernel; leave out the strides beyond `output_stride`."""
    for module in network.modules():
        if isinstance(module, nn.MaxPool2d):
            module.padding = 1
        elif isinstance(module, nn.Conv2d):
            module.padding = tuple(side // 2 for side in module.kernel_size)
    for block in [network.Mixed_6a, network.Mixed_7a][0 if output_stride == 8 else 1 :]:
        for module in block.modules():
            if isinstance(module, nn.MaxPool2d):
                module.stride = 1
            elif isinstance(module, nn.Conv2d):
                module.stride = (1, 1)
    return network
