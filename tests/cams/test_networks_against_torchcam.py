"""The same maps as torch-cam's from EfficientNet-Lite, VGG16 and InceptionV3, at two stages each.

`test_against_torchcam` has the methods in depth, on a ResNet. Here the gradient comes back through
what is new: dilated depthwise convolutions, ReLU6, max-poolings, branches, kernels not square.
"""

import itertools
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torchcam.methods as torchcam
from efficientnet_lite_pytorch import EfficientNet
from torch import nn

from tcam_jax.cams.methods import class_activation_maps
from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.tcam import TCAM, ClassifierOutput, Variables, select, variable_shapes
from tcam_jax.models.weights.pretrained import adopt
from tests import torch_inception
from tests.models.encoders.test_vgg import Twin as VGG16
from tests.torch_networks import channels_first, randomise, state_dict

IMAGES, CLASSES, SIZE = 4, 5, 40
TOLERANCE = 1e-5  # of each map's range, 0 … 1
THEIRS = {
    "gradcam": torchcam.GradCAM,
    "gradcampp": torchcam.GradCAMpp,
    "gradcampp_reference": torchcam.GradCAMpp,
    "layercam": torchcam.LayerCAM,
}


class Staged(nn.Module):
    """Stages by our names of their features, one after the other, and a linear head."""

    def __init__(self, stages, channels):
        super().__init__()
        self.stages = nn.Sequential()
        for name, layers in stages.items():
            self.stages.add_module(name, nn.Sequential(*layers))
        self.fc = nn.Linear(channels, CLASSES)

    def forward(self, images):
        return self.fc(self.stages(images).mean((2, 3)))


def _efficientnet_lite0():
    trunk = EfficientNet.from_name("efficientnet-lite0", image_size=None)
    blocks = [*trunk._blocks]
    blocks[11]._depthwise_conv.stride = [1, 1]  # output stride 16
    for block in blocks[12:]:
        block._depthwise_conv.dilation = (2, 2)
    stages = {
        "group1": [trunk._conv_stem, trunk._bn0, nn.ReLU6(), blocks[0]],
        "group2": blocks[1:3],
        "group3": blocks[3:5],
        "group5": blocks[5:11],
        "top": [*blocks[11:], trunk._conv_head, trunk._bn1, nn.ReLU6()],
    }
    return trunk, Staged(stages, 1280)


def _vgg16():
    trunk = VGG16()
    layers, ends = [*trunk.features], (4, 9, 16, 23, 30)
    parts = zip((0, *ends[:-1]), ends, strict=True)
    stages = {f"block{i}": layers[start:end] for i, (start, end) in enumerate(parts, 1)}
    del stages["block5"][0]  # its max-pooling, at output stride 8
    return trunk, Staged(stages, 512)


def _inception_v3():
    trunk, stages, layers = torch_inception.InceptionV3(), {}, []
    torch_inception.localising(trunk, 8)
    for name, module in trunk.named_children():
        layers.append(module)
        if name in torch_inception.FEATURES:
            stages[name], layers = [x for x in layers if x is not trunk.AuxLogits], []
    return trunk, Staged(stages, 2048)


class Networks(NamedTuple):
    theirs: nn.Module
    model: TCAM
    variables: Variables
    images: np.ndarray
    output: ClassifierOutput


TWINS = {
    "efficientnet_lite0": _efficientnet_lite0,
    "vgg16": _vgg16,
    "inception_v3": _inception_v3,
}
# InceptionV3's gradient takes long to compile: with the gradients' sum, and each pixel's own.
METHODS = dict.fromkeys(TWINS, tuple(THEIRS)) | {"inception_v3": ("gradcam", "layercam")}
CLASS_OF = np.random.default_rng(1).integers(0, CLASSES, IMAGES)


def _networks(name):
    """A family's network in PyTorch, ours with its weights, and images; all in float64."""
    torch.manual_seed(0)
    trunk, network = TWINS[name]()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    randomise(network.eval())
    images = np.random.default_rng(0).normal(size=(IMAGES, SIZE, SIZE, 3)).astype(np.float32)
    weight = network.fc.weight.data
    weight.mul_(100)  # see `test_against_torchcam`: torch-cam's epsilons, and maps of both signs
    with torch.no_grad():
        mean = network.stages(channels_first(images)).mean((0, 2, 3))
    weight -= torch.outer(weight @ mean, mean) / (mean @ mean)
    tensors = {f"encoder.{name}": x for name, x in state_dict(trunk).items()}
    for leaf, x in state_dict(network.fc).items():
        tensors[f"classification_head.fc.{leaf}"] = x
    model = TCAM(CLASSES, ENCODERS[name], dtype=jnp.float64)
    loaded = adopt(variable_shapes(model, SIZE), tensors, "the twin", model)
    assert loaded.parts == ("encoder", "classification_head")
    as_float64 = partial(jnp.asarray, dtype=jnp.float64)
    variables = jax.tree.map(as_float64, select(loaded.variables, loaded.parts))
    images = images.astype(np.float64)
    network.double()
    output = jax.jit(partial(model.apply, method="classify"))(variables, images)
    return Networks(network, model, variables, images, output)


def _theirs(method, networks, stage):
    """torch-cam's maps; GradCAM++'s with the denominator that it loses, from its own gradients."""
    extractor = THEIRS[method](networks.theirs, f"stages.{stage}")
    with extractor:
        scores = networks.theirs(channels_first(networks.images))
        (maps,) = extractor(CLASS_OF.tolist(), scores)
        features, g = extractor.hook_a[0], extractor.hook_g[0]
    if method == "gradcampp":  # as in `test_against_torchcam`
        denominator = 2 * g**2 + features.sum((2, 3), keepdim=True) * g**3
        alpha = torch.where(g == 0, 0, g**2 / denominator)
        maps = ((alpha * g.relu()).sum((2, 3), keepdim=True) * features).sum(1).relu()
        maps -= maps.amin((1, 2), keepdim=True)
        maps /= maps.amax((1, 2), keepdim=True)
    return maps.numpy()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "last", "earlier"),
    [
        ("efficientnet_lite0", "top", "group3"),
        ("vgg16", "block5", "block4"),
        ("inception_v3", "Mixed_7c", "Mixed_5d"),
    ],
)
def test_at_the_last_stage_and_at_an_earlier_one(name, last, earlier):
    """In float64: in float32 rounding puts other activations on the other side of a ReLU."""
    with jax.enable_x64(True):
        networks = _networks(name)
        _, model, variables, images, output = networks

        @jax.jit
        def every_map(*inputs):
            maps = partial(class_activation_maps, model)
            cases = itertools.product((last, earlier), METHODS[name])
            return {(stage, method): maps(*inputs, method, stage) for stage, method in cases}

        ours = every_map(variables, images, output, CLASS_OF)
    assert len(ours) == 2 * len(METHODS[name])
    for (stage, method), maps in ours.items():
        theirs = _theirs(method, networks, stage)
        varied = theirs.std(axis=(1, 2)) > 0.02
        # Of features below zero, as a linear bottleneck's, weights above zero may leave nothing.
        expected = 0.25 if (stage, method) == ("group3", "gradcampp_reference") else 0.7
        assert varied.mean() >= expected, "most maps must show something"
        np.testing.assert_allclose(maps, theirs, atol=TOLERANCE, err_msg=f"{stage} {method}")
