"""The same maps as torch-cam's from the same weights and images: 20 images, each its own class.

Where torch-cam departs from the published formula, the departure is written out by hand here, so
that what is compared is still its output.
"""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torchcam.methods as torchcam

from tcam_jax.benchmark.torch_twin import Classifier
from tcam_jax.cams.methods import class_activation_maps, classifier_head
from tcam_jax.cams.normalise import min_max
from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.tcam import TCAM
from tests.torch_networks import channels_first, same_weights, torch_network

IMAGES = 20
CLASSES = 5
TOLERANCE = 1e-4
DEPTH = 18

OURS = {
    "cam": torchcam.CAM,
    "gradcam": torchcam.GradCAM,
    "gradcampp_reference": torchcam.GradCAMpp,
    "smoothgradcampp": torchcam.SmoothGradCAMpp,
    "xgradcam": torchcam.XGradCAM,
    "layercam": torchcam.LayerCAM,
}


@pytest.fixture(scope="module")
def networks():
    """torch-cam's network, ours with its weights, and both views of the images."""
    whole = torch_network(num_classes=CLASSES, depth=DEPTH)
    images = np.random.default_rng(0).normal(size=(IMAGES, 40, 40, 3)).astype(np.float32)
    weight = whole.classification_head.fc.weight.data
    # torch-cam's epsilons (1e-8) are added to squares of gradients, which a head of many places
    # makes small: with large weights they do not matter, and the formulas show.
    weight.mul_(100)
    with torch.no_grad():
        mean = whole.encoder(channels_first(images))[-1].mean((0, 2, 3))
    # Without what all images share: classes differ, and maps have both signs.
    weight -= torch.outer(weight @ mean, mean) / (mean @ mean)
    network = Classifier(CLASSES, ENCODERS[f"resnet{DEPTH}"]()).eval()
    network.encoder, network.classification_head = whole.encoder, whole.classification_head
    model = TCAM(num_classes=CLASSES, backbone=ENCODERS[f"resnet{DEPTH}"])
    variables = same_weights(whole, model)
    output = jax.jit(partial(model.apply, method="classify"))(variables, images)
    return network, model, variables, images, output


@pytest.fixture(scope="module")
def classes():
    return np.random.default_rng(1).integers(0, CLASSES, IMAGES)


def _theirs(extractor, network, images, classes):
    with extractor:
        scores = network(channels_first(images))
        (maps,) = extractor(classes.tolist(), scores)
    return maps.numpy()


def _ours(networks, classes, method, stage="layer4"):
    _, model, variables, images, output = networks
    make = jax.jit(
        lambda v, x, o, c: class_activation_maps(model, v, x, o, c, method, stage),
    )
    return make(variables, jnp.asarray(images), output, jnp.asarray(classes))


def _assert_close(ours, theirs):
    varied = theirs.std(axis=(1, 2)) > 0.02
    assert varied.mean() > 0.7, "most maps must show something"
    np.testing.assert_allclose(ours, theirs, atol=TOLERANCE)


def _extractor(method, network, stage):
    if method == "smoothgradcampp":  # one sample without noise: its noise cannot be ours
        return torchcam.SmoothGradCAMpp(network, f"encoder.{stage}", num_samples=1, std=1e-12)
    if method == "cam":
        return torchcam.CAM(network, f"encoder.{stage}", fc_layer="classification_head.fc")
    return OURS[method](network, f"encoder.{stage}")


@pytest.mark.parametrize("method", OURS)
def test_at_the_last_stage(networks, classes, method):
    network, _, _, images, _ = networks
    theirs = _theirs(_extractor(method, network, "layer4"), network, images, classes)
    _assert_close(_ours(networks, classes, method), theirs)


EARLIER = ("gradcam", "xgradcam", "layercam", "gradcampp_reference")


@pytest.fixture(scope="module")
def ours_at(networks, classes):
    """Return stage -> {method: our maps}: one program, in which the layers above come once."""
    _, model, variables, images, output = networks

    @cache
    def of(stage):
        def maps(*inputs):
            return {m: class_activation_maps(model, *inputs, m, stage) for m in EARLIER}

        return jax.jit(maps)(variables, jnp.asarray(images), output, jnp.asarray(classes))

    return of


@pytest.mark.parametrize("stage", ["layer3", "layer2"])
@pytest.mark.parametrize("method", EARLIER)
def test_at_an_earlier_stage(networks, ours_at, classes, method, stage):
    """The gradient comes through residual blocks here: it differs from place to place."""
    network, _, _, images, _ = networks
    theirs = _theirs(_extractor(method, network, stage), network, images, classes)
    ours = np.asarray(ours_at(stage)[method])
    # Between there and the logits are ReLUs: where one's input rounds to the other side of 0, which
    # depends on the machine, the gradient of that image jumps.
    jumped = np.abs(ours - theirs).max(axis=(1, 2)) > TOLERANCE
    assert jumped.mean() <= 0.1
    np.testing.assert_allclose(ours, theirs, atol=50 * TOLERANCE)
    _assert_close(ours[~jumped], theirs[~jumped])


def test_smooth_gradcampp_with_noise_but_for_torchcams_last_noisy_frame(networks, classes):
    """Their map sums the features, and takes relu, of the *last noisy* pass: undone by hand.

    Their weights are what they should be for a linear head, whose gradient no noise changes. So
    their output must be our weights times the features of their last noisy frame.
    """
    network, model, variables, images, output = networks
    torch.manual_seed(0)
    extractor = torchcam.SmoothGradCAMpp(network, "encoder.layer4", num_samples=4, std=0.3)
    theirs = _theirs(extractor, network, images, classes)
    torch.manual_seed(0)
    noise = [torch.distributions.Normal(0, 0.3).sample((IMAGES, 3, 40, 40)) for _ in range(4)]
    last = jnp.asarray(images + noise[-1].permute(0, 2, 3, 1).numpy())
    noisy = model.apply(variables, last, method="classify").features["layer4"]
    head = classifier_head(model, variables, model.last)

    def by_hand(clean, noisy, index):
        g = head.kernel[:, index] / (clean.shape[0] * clean.shape[1])
        weights = jax.nn.relu(g) / (2 + clean.sum((0, 1)) * g)
        return min_max(jax.nn.relu((noisy * weights).sum(-1)))

    expected = jax.vmap(by_hand)(output.features["layer4"], noisy, jnp.asarray(classes))
    np.testing.assert_allclose(theirs, expected, atol=TOLERANCE)
    # And with the frame's own features, as published, it is ours, whatever the noise.
    own = jax.vmap(by_hand)(
        output.features["layer4"], output.features["layer4"], jnp.asarray(classes)
    )
    np.testing.assert_allclose(_ours(networks, classes, "smoothgradcampp"), own, atol=TOLERANCE)


def test_gradcampp_but_for_torchcams_lost_denominator(networks, classes):
    """Their alpha is g^2: the division acts on a copy. With it, their code would give ours."""
    network, _, _, images, output = networks
    extractor = torchcam.GradCAMpp(network, "encoder.layer3")
    with extractor:
        scores = network(channels_first(images))
        extractor(classes.tolist(), scores)
        features, g = extractor.hook_a[0].double(), extractor.hook_g[0].double()
    total = features.sum((2, 3), keepdim=True)
    alpha = g**2 / (2 * g**2 + total * g**3)
    alpha = torch.where(g == 0, 0, alpha)
    weights = (alpha * g.relu()).sum((2, 3), keepdim=True)
    raw = (weights * features).sum(1).relu()
    raw -= raw.amin((1, 2), keepdim=True)
    expected = (raw / raw.amax((1, 2), keepdim=True)).numpy()
    _assert_close(_ours(networks, classes, "gradcampp", "layer3"), expected)
    wrong = _theirs(torchcam.GradCAMpp(network, "encoder.layer3"), network, images, classes)
    assert np.abs(wrong - expected).max() > 0.05, "the lost division would not matter here"


def test_layercam_of_the_predicted_class(networks):
    network, model, variables, images, output = networks
    predicted = np.array(output.logits.argmax(-1))
    theirs = _theirs(torchcam.LayerCAM(network, "encoder.layer4"), network, images, predicted)
    np.testing.assert_allclose(_ours(networks, predicted, "layercam"), theirs, atol=TOLERANCE)
    assert len(set(predicted)) > 1
