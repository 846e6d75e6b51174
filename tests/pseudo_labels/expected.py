"""Who may be drawn and how often, from NumPy, PyTorch's stable sort and enumeration."""

import jax.numpy as jnp
import numpy as np
import torch
from scipy.stats import chisquare

from tcam_jax.pseudo_labels.roi import region_of_interest


def example(shape=(8, 8), seed=3):
    """A noisy bump and its region of interest."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    bump = np.exp(-((y - 3) ** 2 + (x - 4) ** 2) / 8)
    cam = np.clip(0.8 * bump + 0.2 * rng.random(shape), 0, 1).astype(np.float32)
    return cam, np.asarray(region_of_interest(jnp.asarray(cam)))


def activation_of(cam, roi):
    return (cam * roi).ravel().astype(np.float64) + 1e-8


def foreground_candidates(cam, roi, fraction):
    """Raster indices in ascending order."""
    activation = torch.tensor(activation_of(cam, roi))
    kept = torch.sort(activation, descending=True, stable=True).indices
    return np.sort(kept[: int(fraction * roi.sum())].numpy())


def background_candidates(cam, roi, rule, fraction):
    """Raster indices in ascending order."""
    if rule == "complement":
        return np.flatnonzero(~roi)
    return np.sort(np.argsort(cam.ravel(), kind="stable")[: int(fraction * cam.size)])


def foreground_probabilities(cam, roi, fraction, weighted=True):
    weights = np.zeros(cam.size)
    kept = foreground_candidates(cam, roi, fraction)
    weights[kept] = activation_of(cam, roi)[kept] if weighted else 1
    return weights / weights.sum()


def background_probabilities(cam, roi, rule, fraction):
    weights = np.zeros(cam.size)
    weights[background_candidates(cam, roi, rule, fraction)] = 1
    return weights / weights.sum()


def successive_pairs(first):
    """Probabilities of ordered pairs drawn without replacement: p_i * p_j / (1 - p_i)."""
    pairs = first[:, None] * first / (1 - first[:, None])
    return pairs - np.diag(np.diag(pairs))


def pair_counts(first, second, number):
    return np.bincount(first * number + second, minlength=number**2)


def p_value(observed, expected):
    """Chi-square test of counts against probabilities; no count may be where there are none."""
    observed, expected = observed.ravel(), expected.ravel()
    possible = expected > 0
    assert observed[~possible].sum() == 0
    return chisquare(observed[possible], observed.sum() * expected[possible]).pvalue
