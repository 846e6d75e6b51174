"""Vision transformers beside transformers' modules with random weights."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import transformers
from flax.traverse_util import flatten_dict

from tcam_jax.cams.methods import class_activation_maps
from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.encoders.vit import bicubic_matrix
from tcam_jax.models.tcam import TCAM, init_variables, variable_shapes
from tcam_jax.models.weights.pretrained import adopt
from tcam_jax.models.weights.torch_names import to_torch, torch_name
from tcam_jax.runtime.errors import InputError
from tests.torch_networks import channels_first, state_dict

SMALL = {
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "attn_implementation": "eager",
}
OURS = {"width": 48, "depth": 3, "heads": 6}
FAMILIES = {
    "vit_small_patch16": lambda: transformers.ViTModel(
        transformers.ViTConfig(
            **SMALL, intermediate_size=192, image_size=64, layer_norm_eps=1e-6, patch_size=16
        ),
        add_pooling_layer=False,
    ),
    "dinov2_small_patch14": lambda: transformers.Dinov2Model(
        transformers.Dinov2Config(**SMALL, image_size=56, patch_size=14)
    ),
    "dinov2_small_patch14_registers": lambda: transformers.Dinov2WithRegistersModel(
        transformers.Dinov2WithRegistersConfig(**SMALL, image_size=56, patch_size=14)
    ),
}
PATCH = {name: 14 if "14" in name else 16 for name in FAMILIES}


def _model(family):
    return TCAM(3, partial(ENCODERS[family], trained_size=4 * PATCH[family], **OURS))


def _pair(family):
    torch.manual_seed(0)
    network = FAMILIES[family]().eval()
    for parameter in network.parameters():  # nothing stays at 0 or 1
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    model = _model(family)
    loaded = adopt(variable_shapes(model, 4 * PATCH[family]), state_dict(network), "file", model)
    assert loaded.parts == ("encoder",)
    assert set(loaded.left_out) <= {"embeddings.mask_token"}
    encoder = {"params": loaded.variables["params"]["encoder"]}
    return network, model.declared, encoder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "places"),
    [
        *(("vit_small_patch16", places) for places in (4, 6, 3)),
        ("dinov2_small_patch14", 6),
        *(("dinov2_small_patch14_registers", places) for places in (4, 3)),
    ],
)
def test_features_equal_transformers(family, places):
    """At the size of the position embedding, and at others; every block has the same code."""
    network, encoder, variables = _pair(family)
    size = places * PATCH[family]
    images = np.random.default_rng(0).normal(size=(2, size, size, 3)).astype(np.float32)
    ours = jax.jit(encoder.apply)(variables, images)
    kwargs = {"interpolate_pos_encoding": True} if family.startswith("vit") else {}
    with torch.no_grad():
        theirs = network(
            channels_first(images), output_hidden_states=True, output_attentions=True, **kwargs
        )
    n = 1 + encoder.registers
    for i, hidden in enumerate(theirs.hidden_states[1:], start=1):
        if i == encoder.depth and family.startswith("vit"):
            hidden = None  # some versions have normed it already
        if hidden is not None:
            _assert_close(ours[f"block{i}"].reshape(2, -1, 48), hidden[:, n:])
            _assert_close(ours[f"block{i}_tokens"], hidden[:, :n])
    _assert_close(ours["norm"].reshape(2, -1, 48), theirs.last_hidden_state[:, n:])
    mixed = torch.eye(n + places**2)
    for attention in theirs.attentions:
        mixed = (attention.mean(1) + torch.eye(n + places**2)) / 2 @ mixed
    _assert_close(ours["rollout"].reshape(2, -1), mixed[:, 0, n:])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vit_small_patch16", 21_665_664),  # timm's vit_small_patch16_224 without its head
        ("deit_small_patch16", 21_665_664),
        ("dinov2_small_patch14", 22_056_576 - 384),  # DINOv2's, without its mask token
        ("dinov2_small_patch14_registers", 22_056_576 - 384 + 4 * 384),
    ],
)
def test_parameter_counts(name, expected):
    model = TCAM(10, ENCODERS[name])
    shapes = variable_shapes(model, 4 * model.declared.output_stride)["params"]
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes["encoder"])) == expected
    assert shapes["decoder"]["block3_conv2"]["kernel"].shape == (3, 3, 2, 2)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["gradcam", "layercam", "rollout"])
def test_cams_of_an_earlier_block_equal_the_formula(method):
    """The class token is held fixed; gradients by torch, of the blocks above written out."""
    network, _, variables = _pair("vit_small_patch16")
    model = _model("vit_small_patch16")
    drawn = init_variables(model, jax.random.key(1), 64)
    whole = {"params": {**drawn["params"], "encoder": variables["params"]}}
    images = jax.random.normal(jax.random.key(2), (2, 64, 64, 3))
    output = model.apply(whole, images, method="classify")
    classes = jnp.array([0, 2])
    maps = class_activation_maps(model, whole, images, output, classes, method, "block2")
    kernel = torch.tensor(np.asarray(whole["params"]["classification_head"]["fc"]["kernel"]))
    for b in range(2):
        grid = torch.tensor(np.asarray(output.features["block2"][b])).reshape(1, -1, 48)
        grid.requires_grad_(True)
        token = torch.tensor(np.asarray(output.features["block2_tokens"][b]))[None]
        layer = network.layers[2] if hasattr(network, "layers") else network.encoder.layer[2]
        seen = layer(torch.cat([token, grid], 1))
        seen = seen[0] if isinstance(seen, tuple) else seen
        seen = network.layernorm(seen)
        (seen[0, 1:].mean(0) @ kernel[:, classes[b].item()]).backward()
        gradient, features = grid.grad[0].reshape(4, 4, 48), grid.detach()[0].reshape(4, 4, 48)
        if method == "gradcam":
            raw = torch.relu((gradient.mean((0, 1)) * features).sum(-1))
        elif method == "layercam":
            raw = torch.relu((torch.relu(gradient) * features).sum(-1))
        else:
            raw = torch.tensor(np.asarray(output.features["rollout"][b, :, :, 0]))
        expected = (raw - raw.min()) / (raw.max() - raw.min())
        np.testing.assert_allclose(maps[b], expected, atol=1e-4)


@pytest.mark.parametrize("naming", range(5))
def test_every_naming_goes_in(naming):
    """Those of transformers' files and of timm; what transformers 5 builds is tested above."""
    model = _model("dinov2_small_patch14_registers")
    variables = init_variables(model, jax.random.key(0), 56)["params"]["encoder"]
    renaming, theirs = model.declared.renamings[naming], {}
    for path, value in flatten_dict(variables).items():
        path = ("params", "encoder", *path)
        name = torch_name(path, renaming).removeprefix("encoder.")
        value = to_torch(path, np.asarray(value))
        if renaming.fuse and ".qkv." in name:
            parts = (
                ("q_proj", "k_proj", "v_proj") if naming in (2, 4) else ("query", "key", "value")
            )
            theirs |= {
                name.replace("qkv", part): x
                for part, x in zip(parts, np.split(value, 3), strict=True)
            }
        else:
            theirs[name] = value
    loaded = adopt(variable_shapes(model, 56), theirs, "file", model)
    jax.tree.map(np.testing.assert_array_equal, loaded.variables["params"]["encoder"], variables)


def test_bicubic_resampling_equals_torch():
    image = np.random.default_rng(0).normal(size=(1, 1, 5, 7)).astype(np.float32)
    for size in ((5, 7), (8, 3), (13, 14)):
        expected = torch.nn.functional.interpolate(torch.tensor(image), size, mode="bicubic")
        ours = bicubic_matrix(5, size[0]) @ image[0, 0] @ bicubic_matrix(7, size[1]).T
        np.testing.assert_allclose(ours, expected[0, 0], atol=1e-5)
    np.testing.assert_array_equal(bicubic_matrix(6, 6), np.eye(6))


def test_what_does_not_go_together_is_refused():
    model = _model("vit_small_patch16")
    with pytest.raises(InputError, match="multiple of 16 pixels.*they are 64 x 60"):
        jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 64, 60, 3)))
    variables = init_variables(model, jax.random.key(0), 64)
    frames = jnp.zeros((1, 64, 64, 3))
    output = model.apply(variables, frames, method="classify")
    maps = partial(class_activation_maps, model, variables, frames, output, jnp.array([0]))
    with pytest.raises(InputError, match="smoothgradcampp needs the feature norm"):
        maps("smoothgradcampp", "block1")
    resnet = TCAM(3, ENCODERS["resnet10"])
    with pytest.raises(InputError, match="rollout is no map of this encoder"):
        class_activation_maps(resnet, {}, frames, output, jnp.array([0]), "rollout")


def _assert_close(ours, theirs):
    theirs = theirs.detach().numpy()
    scale = np.abs(theirs).max()
    assert scale > 1e-3
    np.testing.assert_allclose(ours / scale, theirs / scale, atol=1e-4)
