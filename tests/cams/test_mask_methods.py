"""ScoreCAM and its two successors: their formulas in loops, torch-cam's maps where masks keep size.

torch-cam scales masks before it enlarges them, the papers after: the same at full size.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torchcam.methods as torchcam

from tcam_jax.cams import mask_methods
from tcam_jax.cams.normalise import min_max
from tests.torch_networks import channels_first

RNG = np.random.default_rng(0)
FEATURES = RNG.gamma(1.0, 1.0, (5, 6, 8)).astype(np.float32)  # after a ReLU: >= 0
FRAME = RNG.normal(size=(10, 12, 3)).astype(np.float32)
MIXING = RNG.normal(size=(10, 12, 3, 3)).astype(np.float32)
KEY = jax.random.key(3)
CLASS = 1
METHODS = {
    "scorecam": mask_methods.scorecam,
    "sscam": lambda *args: mask_methods.sscam(*args, KEY),
    "iscam": mask_methods.iscam,
}


def _scores(seen):
    """Curved: the mean of the scores is not the score of the mean."""
    return jnp.tanh(jnp.einsum("hwc,hwck->k", seen, MIXING) / 20)


def _noise(channel, sample, shape):
    keys = jax.random.split(jax.random.fold_in(KEY, channel), mask_methods.NOISY_MASKS)
    return 2.0 * np.asarray(jax.random.normal(keys[sample], shape))


def _masks_of(method, mask, channel):
    """All masks that a channel's score is the mean of, by the method's definition."""
    if method == "scorecam":
        return [mask]
    if method == "sscam":
        return [mask + _noise(channel, i, mask.shape) for i in range(10)]
    built, step = [], 0.0
    for i in range(1, 11):
        step += i / 10
        built.append(step * mask)
    return built


@pytest.mark.parametrize("method", METHODS)
def test_equal_to_the_formula_in_loops(method):
    logits = []
    for c in range(8):
        mask = np.asarray(jax.image.resize(FEATURES[:, :, c], (10, 12), "linear"))
        mask = (mask - mask.min()) / (mask.max() - mask.min())
        seen = [FRAME * one[:, :, None] for one in _masks_of(method, mask, c)]
        logits.append(np.mean([_scores(one)[CLASS] for one in seen]))
    weights = np.exp(logits - np.max(logits))
    expected = (weights / weights.sum() * FEATURES).sum(-1)
    ours = METHODS[method](jnp.asarray(FEATURES), jnp.asarray(FRAME), _scores, CLASS)
    np.testing.assert_allclose(ours, expected, rtol=1e-4)
    assert np.std(logits) > 0.02  # the weights are not all the same


@pytest.mark.parametrize("method", METHODS)
def test_constant_features_have_no_map(method):
    raw = METHODS[method](jnp.ones((5, 6, 8)), jnp.asarray(FRAME), _scores, CLASS)
    np.testing.assert_array_equal(min_max(raw), np.zeros((5, 6)))


class _FullResolution(torch.nn.Module):
    """Two convolutions that keep the size: no mask needs enlarging."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.features = torch.nn.Sequential(
            torch.nn.Conv2d(3, 12, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(12, 10, 1)
        )
        self.last = torch.nn.ReLU()
        self.fc = torch.nn.Linear(10, 5)
        self.fc.weight.data.mul_(30)

    def forward(self, images):
        return self.fc(self.last(self.features(images)).mean((2, 3)))


class _OurNoise:
    """Stands for torch-cam's normal distribution: our draws, the same for every image."""

    def __init__(self):
        self.sample_number = -1

    def sample(self, size):
        self.sample_number += 1
        noise = [_noise(c, self.sample_number, tuple(size[2:])) for c in range(size[1])]
        return torch.from_numpy(np.stack(noise)).expand(size)


def _extractor(method, network):
    if method == "scorecam":
        return torchcam.ScoreCAM(network, "last")
    if method == "iscam":
        return torchcam.ISCAM(network, "last", num_samples=mask_methods.STEPS)
    extractor = torchcam.SSCAM(network, "last", num_samples=mask_methods.NOISY_MASKS)
    extractor._distrib = _OurNoise()
    return extractor


@pytest.mark.parametrize("method", METHODS)
def test_equal_to_torchcam_where_no_mask_is_enlarged(method):
    network = _FullResolution().eval()
    images = np.random.default_rng(0).normal(size=(20, 9, 9, 3)).astype(np.float32)
    classes = np.random.default_rng(1).integers(0, 5, 20)
    with torch.no_grad(), _extractor(method, network) as extractor:
        (theirs,) = extractor(classes.tolist(), network(channels_first(images)))
    theirs = theirs.numpy()
    w1, b1, w2, b2 = (x.detach().numpy() for x in network.features.parameters())
    fc_w, fc_b = (x.detach().numpy() for x in network.fc.parameters())

    def features(image):
        x = jax.lax.conv_general_dilated(
            image[None], w1, (1, 1), "SAME", dimension_numbers=("NHWC", "OIHW", "NHWC")
        )
        return jax.nn.relu(jax.nn.relu(x[0] + b1) @ w2[:, :, 0, 0].T + b2)

    def scores(image):
        return features(image).mean((0, 1)) @ fc_w.T + fc_b

    one = lambda x, c: min_max(METHODS[method](features(x), x, scores, c))  # noqa: E731
    ours = jax.vmap(one)(jnp.asarray(images), jnp.asarray(classes))
    varied = theirs.std(axis=(1, 2)) > 0.02
    assert varied.mean() > 0.7, "most maps must show something"
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
