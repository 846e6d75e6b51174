"""Layer by layer, the network is PyTorch's: same weights and images, same features and maps."""

from functools import partial

import jax
import numpy as np
import pytest
import torch

from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.tcam import TCAM
from tests.torch_networks import (
    channels_first,
    channels_last,
    same_weights,
    torch_network,
)

TOLERANCE = 1e-4  # of the largest magnitude


def assert_close(ours, theirs, name):
    scale = np.abs(theirs).max()
    assert scale > 1e-3, f"{name} is next to nothing: the comparison would say little"
    np.testing.assert_allclose(ours / scale, theirs / scale, atol=TOLERANCE, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("encoder", "output_stride", "size", "options"),
    [
        ("resnet18", 8, 64, {}),
        ("resnet34", 32, 97, {}),
        ("resnet50", 16, 64, {}),
        ("efficientnet_lite0", 8, 97, {}),
        ("vgg16", 8, 97, {}),
        ("vit_small_patch16", 16, 96, {"depth": 4, "trained_size": 96}),
    ],
)
def test_features_logits_and_maps_equal_torch(encoder, output_stride, size, options):
    backbone = partial(ENCODERS[encoder], output_stride=output_stride, **options)
    model = TCAM(num_classes=7, backbone=backbone)
    network = torch_network(num_classes=7, encoder=backbone())
    images = np.random.default_rng(0).normal(size=(2, size, size, 3)).astype(np.float32)
    with torch.no_grad():
        logits, maps, features = network(channels_first(images))
    output, map_logits = jax.jit(model.apply)(same_weights(network, model), images)
    for (name, *_), theirs in zip(backbone().features, features, strict=True):
        assert_close(output.features[name], channels_last(theirs), name)
    assert_close(output.logits, logits.numpy(), "logits")
    assert_close(map_logits, channels_last(maps), "maps")


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["resnet18", "efficientnet_lite0"])
def test_training_mode_and_its_running_statistics_equal_torch(encoder):
    """The batch normalises itself; running variances are unbiased (n / (n - 1)) as torch's."""
    network = torch_network(num_classes=7, encoder=ENCODERS[encoder]()).train()
    model = TCAM(
        num_classes=7, backbone=ENCODERS[encoder], train_classifier=True, train_localiser=True
    )
    variables = same_weights(network, model)
    for seed in range(2):
        # Two 33 px images leave 2 x 5 x 5 values a channel: n / (n - 1) is 2 % away from 1.
        images = np.random.default_rng(seed).normal(size=(2, 33, 33, 3)).astype(np.float32)
        with torch.no_grad():
            logits, maps, _ = network(channels_first(images))
        apply = jax.jit(lambda v, x: model.apply(v, x, mutable=["batch_stats"]))
        (output, map_logits), updates = apply(variables, images)
        variables = {**variables, **updates}
        assert_close(output.logits, logits.numpy(), "logits")
        assert_close(map_logits, channels_last(maps), "maps")
    jax.tree.map(
        lambda ours, theirs: np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4),
        dict(variables["batch_stats"]),
        dict(same_weights(network, model)["batch_stats"]),
    )


def test_going_on_from_a_stage_equals_the_whole_pass():
    model = TCAM(num_classes=7, backbone=ENCODERS["resnet10"])
    variables = same_weights(torch_network(num_classes=7, depth=10), model)
    images = jax.random.normal(jax.random.key(0), (2, 40, 40, 3))
    output = model.apply(variables, images, method="classify")
    for stage, *_ in model.declared.features:
        logits, maps = model.apply(variables, output.features[stage], stage, method="classify_from")
        np.testing.assert_allclose(logits, output.logits, atol=1e-5)
        np.testing.assert_allclose(maps, output.maps, atol=1e-5)
