"""VGG16 beside torch modules in torchvision's order and names."""

import jax
import numpy as np
import pytest
import torch
from torch import nn

from tcam_jax.models.encoders.vgg import VGG16
from tcam_jax.models.tcam import TCAM, variable_shapes
from tcam_jax.models.weights.pretrained import adopt
from tests.torch_networks import channels_first, channels_last, state_dict

CONFIGURATION_D = (
    64,
    64,
    "M",
    128,
    128,
    "M",
    256,
    256,
    256,
    "M",
    512,
    512,
    512,
    "M",
    512,
    512,
    512,
)


class Twin(nn.Module):
    def __init__(self):
        super().__init__()
        layers, channels = [], 3
        for width in CONFIGURATION_D:
            if width == "M":
                layers.append(nn.MaxPool2d(2, 2))
            else:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Linear(8, 8))


def test_parameter_count():
    shapes = variable_shapes(TCAM(10, VGG16), 32)
    encoder = jax.tree.leaves(shapes["params"]["encoder"])
    assert sum(leaf.size for leaf in encoder) == 14_714_688  # torchvision's vgg16().features
    decoder = shapes["params"]["decoder"]
    assert sorted(decoder)[-1] == "block3_conv2"  # the finest feature is the frame's size


@pytest.mark.slow
@pytest.mark.parametrize(("output_stride", "size"), [(16, 96), (16, 67), (8, 64)])
def test_features_equal_torch(output_stride, size):
    torch.manual_seed(0)
    twin, encoder = Twin().eval(), VGG16(output_stride=output_stride)
    for module in twin.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.normal_(module.bias, 0, 0.1)
    model = TCAM(10, lambda **kwargs: VGG16(output_stride=output_stride, **kwargs))
    loaded = adopt(variable_shapes(model, 32), state_dict(twin), "twin", model)
    assert loaded.parts == ("encoder",)
    assert set(loaded.left_out) == {"classifier.0.weight", "classifier.0.bias"}
    images = np.random.default_rng(0).normal(size=(2, size, size, 3)).astype(np.float32)
    variables = {"params": loaded.variables["params"]["encoder"]}
    ours = jax.jit(encoder.apply)(variables, images)
    x, block = channels_first(images), 0
    poolings = [i for i, layer in enumerate(twin.features) if isinstance(layer, nn.MaxPool2d)]
    with torch.no_grad():
        for i, layer in enumerate(twin.features):
            if i in poolings:
                block += 1
                _assert_close(ours[f"block{block}"], channels_last(x))
                if block == 4 and output_stride == 8:
                    continue
            x = layer(x)
    _assert_close(ours["block5"], channels_last(x))
    assert x.shape[2] == size // output_stride


def _assert_close(ours, theirs):
    scale = np.abs(theirs).max()
    np.testing.assert_allclose(ours / scale, theirs / scale, atol=1e-4)
