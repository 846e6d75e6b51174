"""InceptionV3 beside PyTorch modules with torchvision's layout and names."""

import copy
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from tcam_jax.data.geometry import IMAGENET, normalise
from tcam_jax.models.encoders.inception import InceptionV3
from tcam_jax.models.tcam import TCAM, select, variable_shapes
from tcam_jax.models.weights.pretrained import adopt, torch_tensors
from tcam_jax.runtime.errors import InputError
from tests import torch_inception
from tests.models.encoders.going_on import assert_every_way_is_the_same, every_way
from tests.torch_networks import channels_first, channels_last, randomise, state_dict

CLASSES = 7


def _twin(output_stride, classes=CLASSES):
    torch.manual_seed(0)
    twin = torch_inception.InceptionV3(classes)
    if output_stride < 32:
        torch_inception.localising(twin, output_stride)
    for module in twin.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    return randomise(twin).eval()


def _model(output_stride, train=False, dtype=jnp.float32):
    make = partial(InceptionV3, output_stride=output_stride)
    return TCAM(CLASSES, make, train_classifier=train, dtype=dtype)


def _loaded(twin, model):
    """With `fc` as the head, as our own files name it."""
    tensors = {f"encoder.{name}": x for name, x in state_dict(twin).items()}
    for name in ("weight", "bias"):
        tensors[f"classification_head.fc.{name}"] = tensors.pop(f"encoder.fc.{name}")
    loaded = adopt(variable_shapes(model, 96), tensors, "the twin", model)
    assert loaded.parts == ("encoder", "classification_head")
    as_wanted = partial(jnp.asarray, dtype=model.dtype)
    return jax.tree.map(as_wanted, select(loaded.variables, loaded.parts))


def _assert_close(ours, theirs, within=1e-4):
    scale = np.abs(theirs).max()
    assert scale > 1e-3
    np.testing.assert_allclose(ours / scale, theirs / scale, atol=within)


def test_parameter_counts():
    whole = torch_inception.InceptionV3()
    count = lambda module: sum(x.numel() for x in module.parameters())  # noqa: E731
    # Those of torchvision's inception_v3.
    assert count(whole) == 27_161_264 and count(whole.AuxLogits) == 3_326_696
    encoder = variable_shapes(_model(8), 64)["params"]["encoder"]
    ours = sum(leaf.size for leaf in jax.tree.leaves(encoder))
    assert ours == 21_785_568 == count(whole) - count(whole.AuxLogits) - count(whole.fc)


@pytest.mark.parametrize("size", [224, 97, 64, 33])
@pytest.mark.parametrize("output_stride", [8, 16])
def test_padded_features_lie_evenly_over_the_frame(output_stride, size):
    encoder = InceptionV3(output_stride=output_stride)
    frames = jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)
    shapes = jax.eval_shape(encoder.init_with_output, jax.random.key(0), frames)[0]
    assert [*shapes] == [f.name for f in encoder.features]
    for name, channels, stride in encoder.features:
        assert shapes[name].shape == (1, -(-size // stride), -(-size // stride), channels)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("output_stride", "size", "places"),
    [(8, 107, 14), (16, 128, 8), (32, 139, 3)],
)
def test_features_and_logits_equal_torch(output_stride, size, places):
    """At output stride 32 the twin is the network as published, unpadded.

    Another size: in training, below.
    """
    twin, images = _twin(output_stride), _images(size)
    model = _model(output_stride)
    ours = jax.jit(partial(model.apply, method="classify"))(_loaded(twin, model), images)
    theirs, logits = _theirs(twin, images)
    for name, expected in theirs.items():
        _assert_close(ours.features[name], expected)
    _assert_close(ours.logits, logits)
    assert theirs["Mixed_7c"].shape == (3, places, places, 2048)


@pytest.mark.slow
def test_in_training_it_is_torchs_in_float64_and_as_near_to_it_in_float32():
    """Batch norm upon batch norm makes rounding grow: PyTorch's float32 is 1e-4 away as well."""
    output_stride = 16
    twin, images = _twin(output_stride).train(), _images(97)
    exact = copy.deepcopy(twin).double()
    with jax.enable_x64(True):
        ours, updated = _train(exact, output_stride, images.astype(np.float64))
        theirs, logits = _theirs(exact, images.astype(np.float64))
        after = _loaded(exact, _model(output_stride))["batch_stats"]
        for name, expected in theirs.items():
            _assert_close(ours.features[name], expected, within=1e-9)
        _assert_close(ours.logits, logits, within=1e-9)
        # Adopted as float32, these are rounded.
        jax.tree.map(partial(_assert_close, within=1e-6), updated, after)
    ours, _ = _train(twin, output_stride, images)
    rounded, _ = _theirs(twin, images)
    for name, expected in theirs.items():
        scale = np.abs(expected).max()
        off = np.abs(rounded[name] - expected).max() / scale
        assert off < 2e-4
        _assert_close(ours.features[name], expected, within=2 * off)


def _train(twin, output_stride, images):
    """Return the classifier's output in training, and the running statistics after it."""
    model = _model(output_stride, train=True, dtype=images.dtype)
    apply = partial(model.apply, method="classify", mutable=["batch_stats"])
    output, updated = jax.jit(apply)(_loaded(twin, model), images)
    return output, updated["batch_stats"]


def _theirs(twin, images):
    with torch.no_grad():
        features = twin.encode(channels_first(images))
        logits = twin.fc(features["Mixed_7c"].mean((2, 3)))
    return {name: channels_last(x) for name, x in features.items()}, logits.numpy()


def _images(size):
    return np.random.default_rng(0).normal(size=(3, size, size, 3)).astype(np.float32)


@pytest.mark.slow
def test_going_on_from_a_feature_equals_the_whole_pass():
    encoder = InceptionV3(output_stride=8)
    frames = jax.random.normal(jax.random.key(1), (2, 48, 48, 3))
    # Compiled, the draws of its initialisation would take longer than all that is asked here.
    loaded = _loaded(_twin(8), _model(8))
    variables = {collection: tree["encoder"] for collection, tree in loaded.items()}
    assert_every_way_is_the_same(encoder, variables, frames)
    # As published it is the same code, with other paddings.
    published = InceptionV3(output_stride=32)
    frames = jnp.zeros((2, 80, 80, 3))
    whole, rests = jax.eval_shape(partial(every_way, published), variables, frames)
    assert {x: rest["Mixed_7c"] for x, rest in rests.items()} == dict.fromkeys(
        rests, whole["Mixed_7c"]
    )


def test_torchvisions_file_goes_in_and_out():
    tensors, model = state_dict(_twin(32, classes=1000)), _model(8)
    loaded = adopt(variable_shapes(model, 64), tensors, "file", model)
    assert loaded.parts == ("encoder",)
    left_out = {n for n in tensors if n.startswith(("AuxLogits.", "fc."))}
    counters = {n for n in tensors if n.endswith("num_batches_tracked")}
    assert set(loaded.left_out) == left_out - counters
    encoder = {name: tree["encoder"] for name, tree in loaded.variables.items()}
    back = torch_tensors({name: {"encoder": tree} for name, tree in encoder.items()}, model)
    assert set(back) == {f"encoder.{n}" for n in set(tensors) - left_out - counters}
    for name, tensor in back.items():
        np.testing.assert_array_equal(tensor, tensors[name.removeprefix("encoder.")])


def test_its_normalisation_is_what_torchvision_makes_of_imagenets():
    frames = np.random.default_rng(0).integers(0, 256, (2, 5, 5, 3))
    x = normalise(frames, IMAGENET)
    # torchvision's `transform_input`, which its pretrained network has switched on.
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    channels = [x[..., i] * (std[i] / 0.5) + (mean[i] - 0.5) / 0.5 for i in range(3)]
    ours = normalise(frames, InceptionV3.normalisation)
    np.testing.assert_allclose(ours, np.stack(channels, -1), atol=1e-6)


def test_a_frame_too_small_for_the_published_network_is_named():
    with pytest.raises(InputError, match="at least 75 x 75 pixels; these have 64 x 64"):
        variable_shapes(_model(32), 64)
    assert variable_shapes(_model(32), 75)
