"""Every head against the same arithmetic in PyTorch, and what makes it that head."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from tcam_jax.cams.gradient_methods import smoothgradcampp
from tcam_jax.cams.methods import (
    FRAME_METHODS,
    class_activation_maps,
    classifier_head,
    frame_noise,
)
from tcam_jax.cams.normalise import min_max
from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.heads import HEADS, LSE, WILDCAT
from tcam_jax.models.tcam import TCAM, init_variables
from tcam_jax.runtime.errors import InputError

FEATURES = np.random.default_rng(0).gamma(1.0, 1.0, (3, 5, 7, 16)).astype(np.float32)
CLASSES = 4
# Those of class tokens: tests/models/test_class_tokens.py.
OF_FEATURES = [name for name, head in HEADS.items() if not head.reads_class_tokens]


def _head(name, **options):
    head = HEADS[name](num_classes=CLASSES, **options)
    variables = head.init(jax.random.key(0), jnp.asarray(FEATURES))
    # Biases are zero at first, and would hide where they are forgotten.
    params = jax.tree.map(
        lambda x: x + 0.1 * jax.random.normal(jax.random.key(1), x.shape), variables["params"]
    )
    return head, params


def _torch_logits(name, params):
    p = jax.tree.map(lambda x: torch.from_numpy(np.array(x)), params)
    x = torch.from_numpy(FEATURES).permute(0, 3, 1, 2)

    def conv(layer):
        weight = layer["kernel"].T[:, :, None, None].contiguous()
        return torch.nn.functional.conv2d(x, weight, layer["bias"])

    def linear(layer, x):
        return torch.nn.functional.linear(x, layer["kernel"].T, layer.get("bias"))

    if name == "wgap":
        return linear(p["fc"], x.mean((2, 3)))
    if name == "attention_mil":
        instances = x.flatten(2).transpose(1, 2)  # [b, places, c]
        gated = torch.tanh(linear(p["value"], instances))
        gated = gated * torch.sigmoid(linear(p["gate"], instances))
        attention = torch.softmax(linear(p["attention"], gated), dim=1)
        return linear(p["fc"], (attention.transpose(1, 2) @ instances)[:, 0])
    scores = conv(p["conv"]).flatten(2)
    if name == "gap":
        return scores.mean(2)
    if name == "max":
        return scores.amax(2)
    if name == "lse":
        return torch.log(torch.exp(10 * scores).mean(2)) / 10
    if name == "wildcat":
        scores = scores.reshape(3, CLASSES, 5, 35).mean(2)
        ranked = scores.sort(dim=2, descending=True).values
        return (ranked[:, :, :18].mean(2) + 0.6 * ranked[:, :, -4:].mean(2)) / 2
    raise AssertionError(name)


@pytest.mark.parametrize("name", OF_FEATURES)
def test_logits_equal_torch(name):
    head, params = _head(name)
    logits, maps = head.apply({"params": params}, jnp.asarray(FEATURES))
    assert maps.shape == (3, 5, 7, CLASSES)
    np.testing.assert_allclose(logits, _torch_logits(name, params), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "pooled"),
    [
        ("gap", lambda maps, bias: maps.mean((1, 2))),
        ("wgap", lambda maps, bias: maps.mean((1, 2)) + bias),
        ("max", lambda maps, bias: maps.max((1, 2))),
        ("attention_mil", lambda maps, bias: maps.sum((1, 2)) + bias),
    ],
)
def test_native_maps_add_up_to_the_logits(name, pooled):
    head, params = _head(name)
    logits, maps = head.apply({"params": params}, jnp.asarray(FEATURES))
    bias = params.get("fc", {}).get("bias")
    np.testing.assert_allclose(logits, pooled(maps, bias), rtol=1e-4, atol=1e-5)


def test_log_sum_exp_lies_between_mean_and_maximum_and_does_not_overflow():
    _, params = _head("lse")
    apply = lambda r, x: LSE(CLASSES, sharpness=r).apply({"params": params}, x)  # noqa: E731
    features = jnp.asarray(FEATURES)
    _, maps = apply(1.0, features)
    np.testing.assert_allclose(apply(1e-3, features)[0], maps.mean((1, 2)), atol=2e-3)
    np.testing.assert_allclose(apply(1e4, features)[0], maps.max((1, 2)), atol=1e-3)
    assert np.isfinite(apply(10.0, 1000 * features)[0]).all()


def test_wildcat_without_lowest_scores_is_the_mean_of_the_highest():
    _, params = _head("wildcat")

    def apply(**options):
        return WILDCAT(CLASSES, **options).apply({"params": params}, jnp.asarray(FEATURES))

    logits, maps = apply(top=1.0, bottom=0.0)
    np.testing.assert_allclose(logits, maps.mean((1, 2)), atol=1e-5)
    logits, _ = apply(top=1e-6, bottom=0.0)  # at least one place
    np.testing.assert_allclose(logits, maps.max((1, 2)), atol=1e-5)
    np.testing.assert_array_equal(logits, apply(top=1e-6, alpha=0.0)[0])


@pytest.mark.parametrize("name", OF_FEATURES)
def test_bfloat16_features_give_float32_logits_and_gradients_reach_every_parameter(name):
    head, params = _head(name)
    features = jnp.asarray(FEATURES, jnp.bfloat16)
    logits, maps = head.apply({"params": params}, features)
    assert logits.dtype == maps.dtype == jnp.float32
    grads = jax.grad(lambda p: head.apply({"params": p}, features)[0].var())(params)
    assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(grads))


@pytest.mark.parametrize("name", OF_FEATURES)
def test_kernel_of_a_linear_head_gives_its_logits(name):
    head, params = _head(name)
    kernel = head.apply({"params": params}, method="linear_kernel")
    assert (kernel is not None) == (name in ("wgap", "gap"))
    if kernel is not None:
        (layer,) = params.values()
        logits, _ = head.apply({"params": params}, jnp.asarray(FEATURES))
        expected = FEATURES.mean((1, 2)) @ kernel + layer["bias"]
        np.testing.assert_allclose(logits, expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_FEATURES)
def test_every_kind_of_cam_for_every_head(small_encoder, name):
    """cam is the head's own map; one gradient method and those that see the frame work too."""
    backbone = partial(ENCODERS[small_encoder], width=8)
    model = TCAM(num_classes=CLASSES, backbone=backbone, head=HEADS[name])
    frames = jax.random.normal(jax.random.key(0), (2, 64, 64, 3))
    variables = init_variables(model, jax.random.key(1), 64)
    output = model.apply(variables, frames, method="classify")
    classes = jnp.array([1, 3])

    def maps(method):
        return class_activation_maps(model, variables, frames, output, classes, method)

    native = jnp.stack([output.maps[i, :, :, c] for i, c in enumerate(classes)])
    native = native - native.min((1, 2), keepdims=True)
    native = native / native.max((1, 2), keepdims=True)
    np.testing.assert_allclose(maps("cam"), native, atol=1e-4)
    methods = ("layercam", *FRAME_METHODS) if name in ("wgap", "lse") else ("layercam",)
    for method in methods:
        result = maps(method)
        assert result.shape == (2, 4, 4) and np.isfinite(result).all(), method
        assert result.min() >= 0 and (result.max((1, 2)) == 1).all(), method
    for unknown in (("cam", "stage3"), ("layercam", "stage5"), ("gradcam++", "stage4")):
        with pytest.raises(InputError, match="expected one of"):
            class_activation_maps(model, variables, frames, output, classes, *unknown)
    if name == "lse":  # a head whose gradient depends on the noise: made by hand
        head = classifier_head(model, variables, model.last)
        for i, c in enumerate(classes):
            noisy = model.apply(
                variables, frames[i] + frame_noise(frames[i].shape), method="classify"
            )
            raw = smoothgradcampp(output.features["stage4"][i], noisy.features["stage4"], head, c)
            np.testing.assert_allclose(maps("smoothgradcampp")[i], min_max(raw), atol=1e-4)
