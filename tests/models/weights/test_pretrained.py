"""Weights of PyTorch networks in, ours out, all of them or a clear error."""

import jax
import numpy as np
import pytest
import torch

from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.heads import HEADS
from tcam_jax.models.tcam import TCAM, init_variables, variable_shapes
from tcam_jax.models.weights.pretrained import adopt, own_tensors, torch_tensors
from tcam_jax.runtime.errors import InputError
from tests.torch_networks import state_dict, torch_network

ALL_PARTS = ("encoder", "classification_head", "decoder", "map_head")


@pytest.fixture(scope="module")
def network():
    return torch_network(num_classes=4, depth=18)


@pytest.fixture
def tensors(network):
    return state_dict(network)


def _adopt(tensors, source="file", encoder="resnet18", **kwargs):
    model = TCAM(**{"num_classes": 4, "backbone": ENCODERS[encoder], **kwargs})
    return adopt(variable_shapes(model, 32), tensors, source, model)


def _torchvision(tensors):
    """The encoder alone as torchvision names it, with the last layer of 1000 classes."""
    names = {n.removeprefix("encoder."): x for n, x in tensors.items() if n.startswith("encoder.")}
    fc = {"fc.weight": np.ones((1000, 512), np.float32), "fc.bias": np.ones(1000, np.float32)}
    return names | fc


def _trees_equal(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


@pytest.mark.parametrize("depth", [18, 50])
def test_whole_networks_go_both_ways(depth):
    network = torch_network(num_classes=4, depth=depth)
    tensors = state_dict(network)
    loaded = _adopt(tensors, encoder=f"resnet{depth}")
    assert loaded.parts == ALL_PARTS and not loaded.left_out
    back = torch_tensors(loaded.variables, TCAM(4, ENCODERS[f"resnet{depth}"]))
    counters = {name for name in tensors if name.endswith("num_batches_tracked")}
    assert set(back) == set(tensors) - counters
    assert depth != 50 or len(back) == 319  # as the reference's checkpoints
    for name, tensor in back.items():
        np.testing.assert_array_equal(tensor, tensors[name])
    other = torch_network(seed=1, num_classes=4, depth=depth)
    other.load_state_dict({n: torch.tensor(np.ascontiguousarray(x)) for n, x in back.items()})
    images = torch.randn(1, 3, 33, 33)
    with torch.no_grad():
        for ours, theirs in zip(other(images)[:2], network(images)[:2], strict=True):
            torch.testing.assert_close(ours, theirs)


@pytest.mark.slow
@pytest.mark.parametrize("head", [name for name in HEADS if name != "class_tokens"])
def test_every_head_goes_both_ways(head):
    model = TCAM(num_classes=4, backbone=ENCODERS["resnet18"], head=HEADS[head])
    variables = init_variables(model, jax.random.key(0), 32)
    for tensors in (torch_tensors(variables, model), own_tensors(variables)):
        loaded = _adopt(tensors, head=HEADS[head])
        assert loaded.parts == ALL_PARTS
        _trees_equal(loaded.variables, variables)
    if head == "wildcat":  # class scores are a 1x1 convolution in PyTorch
        tensors = torch_tensors(variables, model)
        assert tensors["classification_head.conv.weight"].shape == (20, 512, 1, 1)


def test_a_torchvision_encoder_leaves_its_classes_out_and_the_rest_as_it_was(tensors):
    model = TCAM(num_classes=4, backbone=ENCODERS["resnet18"])
    drawn = init_variables(model, jax.random.key(0), 32)
    loaded = adopt(drawn, _torchvision(tensors), "file", model)
    assert loaded.parts == ("encoder",) and loaded.left_out == ("fc.weight", "fc.bias")
    whole = adopt(drawn, tensors, "file", model)
    for collection in ("params", "batch_stats"):
        ours = loaded.variables[collection]
        _trees_equal(ours["encoder"], whole.variables[collection]["encoder"])
        _trees_equal(ours["decoder"], drawn[collection]["decoder"])


@pytest.mark.parametrize(
    ("change", "shapes", "message"),
    [
        (lambda t: t, {"encoder": "resnet34"}, r"lacks \d+ .* encoder: .*is a resnet18;"),
        (_torchvision, {"encoder": "resnet10"}, r"no place for: layer1\.1\.conv1.*is a resnet18;"),
        (
            lambda t: {**t, "decoder.blocks.9.bias": np.zeros(1)},
            {},
            r"1 tensors .* no place for: decoder\.blocks\.9\.bias",
        ),
        (
            lambda t: {f"a.b.{n}": x for n, x in t.items() if "layer4.1" not in n},
            {},
            r"lacks 10 tensors of the encoder: a\.b\.encoder\.layer4\.1\.bn1\.running_mean, .*"
            r"names of torchvision, behind 'a\.b\.encoder\.': 90 of 100 of the encoder's",
        ),
        (
            lambda t: {n: x for n, x in t.items() if "layer2.1.bn1.bias" not in n},
            {},
            r"lacks 1 tensors of the encoder: encoder\.layer2\.1\.bn1\.bias",
        ),
        (
            lambda t: {n: x for n, x in t.items() if not n.startswith("encoder.")},
            {},
            "nothing of the encoder",
        ),
        (
            lambda t: {**t, "encoder.conv1.weight": t["encoder.conv1.weight"][:, :1]},
            {},
            r"encoder\.conv1\.weight \[64, 1, 7, 7\] instead of \[64, 3, 7, 7\]",
        ),
        (
            lambda t: {**t, "encoder.bn1.bias": t["encoder.bn1.bias"] * np.nan},
            {},
            r"not finite in 1: encoder\.bn1\.bias",
        ),
        (
            lambda t: {**t, "encoder.bn1.bias": t["encoder.bn1.bias"].astype(np.int8)},
            {},
            r"1 tensors that are no floating-point numbers: encoder\.bn1\.bias \(int8\)",
        ),
        (
            lambda t: {**t, "encoder.bn1.bias": t["encoder.bn1.bias"].astype(np.complex64)},
            {},
            r"no floating-point numbers: encoder\.bn1\.bias \(complex64\)",
        ),
        (lambda t: {"blocks.0.attn.qkv.weight": np.zeros((3, 3))}, {}, "is none of resnet10"),
        (lambda t: {**t, "encoder.bn1.bias": t["encoder.conv1.weight"]}, {}, r"instead of \[64\]"),
    ],
)
def test_what_does_not_fit_is_named(tensors, change, shapes, message):
    with pytest.raises(InputError, match=message) as error:
        _adopt(change(tensors), "weights.pth", **shapes)
    assert str(error.value).startswith("weights.pth does not fit the configured network")
    assert len(str(error.value)) < 700
