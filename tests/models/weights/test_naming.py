"""Names of every library, behind any prefix, beside anything: what fits most is taken, and told."""

import jax
import numpy as np
import pytest
import transformers
from flax.traverse_util import flatten_dict

from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.heads import HEADS
from tcam_jax.models.tcam import TCAM, variable_shapes
from tcam_jax.models.weights import naming
from tcam_jax.models.weights.pretrained import adopt, own_tensors, torch_tensors
from tcam_jax.models.weights.torch_names import torch_name
from tcam_jax.runtime.errors import InputError
from tests.torch_networks import state_dict, torch_network

MODEL = TCAM(num_classes=4, backbone=ENCODERS["resnet10"])


@pytest.fixture(scope="module")
def shapes():
    return variable_shapes(MODEL, 32)


@pytest.fixture(scope="module")
def tensors():
    return state_dict(torch_network(num_classes=4, depth=10))


@pytest.fixture(scope="module")
def encoder(tensors):
    """The encoder's tensors alone, with nothing before their names."""
    return {n.removeprefix("encoder."): x for n, x in tensors.items() if n.startswith("encoder.")}


def _behind(prefix, tensors):
    return {prefix + name: x for name, x in tensors.items()}


def _is_the_encoder(loaded, expected):
    kernel = loaded.variables["params"]["encoder"]["conv1"]["kernel"]
    np.testing.assert_array_equal(kernel, expected["conv1.weight"].transpose(2, 3, 1, 0))


# What lies beside an encoder: layers after it, a queue, the state of a trainer.
STRAYS = (
    "queue",
    "module.queue_ptr",
    "head.mlp.weight",
    "module.head.0.bias",
    "optimizer.state.0.m",
)


@pytest.mark.parametrize("stray", STRAYS)
@pytest.mark.parametrize(
    "prefix", ["", "module.", "encoder_q.", "backbone.", "module.encoder_q.", "state_dict.model."]
)
def test_any_prefix_with_strays_beside(shapes, encoder, prefix, stray):
    given = {stray: np.ones(3, np.float32), **_behind(prefix, encoder)}
    given[f"{prefix}projector.weight"] = given[f"{prefix}fc.0.weight"] = np.ones((2, 2), np.float32)
    loaded = adopt(shapes, given, "file", MODEL)
    assert loaded.parts == ("encoder",) and not loaded.notes
    assert set(loaded.left_out) == {stray, f"{prefix}projector.weight", f"{prefix}fc.0.weight"}
    assert loaded.naming.endswith(repr(prefix) if prefix else "nothing before them")
    _is_the_encoder(loaded, encoder)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.module.", "state_dict.", "x.y."])
def test_a_whole_network_behind_any_prefix(shapes, tensors, prefix):
    given = {"extra": np.ones(2), prefix + "extra": np.ones(2), **_behind(prefix, tensors)}
    loaded = adopt(shapes, given, "file", MODEL)
    assert loaded.parts == ("encoder", "classification_head", "decoder", "map_head")
    assert set(loaded.left_out) == {"extra", prefix + "extra"}
    expected = adopt(shapes, tensors, "file", MODEL).variables
    jax.tree.map(np.testing.assert_array_equal, loaded.variables, expected)


def test_of_two_encoders_the_first_that_fits_whole_and_the_other_is_named(shapes, encoder):
    zeros = {name: 0 * x for name, x in encoder.items()}
    given = {**_behind("encoder_q.", encoder), **_behind("encoder_k.", zeros)}
    loaded = adopt(shapes, given, "file", MODEL)
    _is_the_encoder(loaded, encoder)
    assert loaded.notes == (
        "what stands behind 'encoder_k.' would fit too: save it alone to have it instead",
    )
    # Shapes count: another encoder of the same names before it is not taken.
    wide = {name: np.ones((2, 3), np.float32) for name in encoder}
    loaded = adopt(shapes, {**_behind("wide.", wide), **given}, "file", MODEL)
    _is_the_encoder(loaded, encoder)


def test_a_larger_encoder_is_no_smaller_one_with_strays(shapes, encoder, monkeypatch):
    """DINOv2 with registers differs from that without by one tensor at the top."""
    names = ("dinov2_small_patch14", "dinov2_small_patch14_registers", "resnet10")
    monkeypatch.setattr(naming, "ENCODERS", {name: ENCODERS[name] for name in names})
    model, larger = (TCAM(num_classes=4, backbone=ENCODERS[name]) for name in names[:2])
    timm = larger.declared.renamings[0]
    given = {
        f"m.{name}": np.broadcast_to(np.float32(0), shape)
        for name, shape in naming.encoder_names(_flat_shapes(larger), timm).items()
    }
    with pytest.raises(InputError, match="no place for: m.reg.*dinov2_small_patch14_registers;"):
        adopt(variable_shapes(model, 28), given, "file", model)
    with pytest.raises(InputError, match="no place for: layer1.7.conv1.weight"):
        adopt(shapes, {**encoder, "layer1.7.conv1.weight": np.ones(2)}, "file", MODEL)


def _flat_shapes(model):
    return flatten_dict(variable_shapes(model, 28))


def test_names_of_transformers(shapes):
    """As `ResNetForImageClassification` of transformers 5 lists them."""
    config = transformers.ResNetConfig(
        depths=[1, 1, 1, 1], hidden_sizes=[64, 128, 256, 512], layer_type="basic", num_labels=7
    )
    theirs = state_dict(transformers.ResNetForImageClassification(config))
    loaded = adopt(shapes, theirs, "file", MODEL)
    assert loaded.parts == ("encoder",)
    assert loaded.naming == "transformers, behind 'resnet.'"
    assert set(loaded.left_out) == {"classifier.1.weight", "classifier.1.bias"}


@pytest.mark.parametrize("encoder", ["resnet10", "efficientnet_lite0"])
def test_every_naming(encoder):
    model = TCAM(num_classes=4, backbone=ENCODERS[encoder])
    rng, shapes = np.random.default_rng(0), variable_shapes(model, 32)
    variables = jax.tree.map(lambda x: rng.random(x.shape, np.float32), shapes)
    tensors = torch_tensors(variables, model)
    ours = model.declared.renamings[0]
    paths = [path for path in flatten_dict(variables) if path[1] == "encoder"]
    for renaming in model.declared.renamings:
        renamed = {
            torch_name(path, renaming).removeprefix("encoder."): tensors[torch_name(path, ours)]
            for path in paths
        }
        beside = f"module.encoder_q.{renaming.classes[0]}weight"
        given = {**_behind("module.encoder_q.", renamed), beside: np.ones((2, 2))}
        loaded = adopt(shapes, given, "file", model)
        assert loaded.parts == ("encoder",) and loaded.left_out == (beside,)
        for kind in ("params", "batch_stats"):
            found, expected = loaded.variables[kind]["encoder"], variables[kind]["encoder"]
            jax.tree.map(np.testing.assert_array_equal, found, expected)
        assert loaded.variables["params"]["decoder"] == shapes["params"]["decoder"]


def test_another_head_or_other_classes_are_left_out(tensors, shapes):
    names = {"classification_head.fc.weight", "classification_head.fc.bias"}
    own = own_tensors(adopt(shapes, tensors, "file", MODEL).variables)
    for change, given in (
        ({"num_classes": 6}, tensors),
        ({"head": HEADS["lse"]}, tensors),
        ({"num_classes": 6}, own),
    ):
        model = MODEL.clone(**change)
        loaded = adopt(variable_shapes(model, 32), given, "file", model)
        assert loaded.parts == ("encoder", "decoder", "map_head")
        assert given is own or set(loaded.left_out) == names
        (note,) = loaded.notes
        assert note.startswith("its classification head is left out, of other classes or kind: ")
        assert "[4" in note
