"""Max-pooling in both forms, against flax's and torch's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import linen as nn

from tcam_jax.models import plain
from tcam_jax.models.cpu import pooling

FORMS = pytest.mark.parametrize("pool", [pooling.max_pool, plain.max_pool], ids=["cpu", "plain"])


@FORMS
@pytest.mark.parametrize("size", [(8, 8), (7, 10), (1, 3)])
def test_equals_flax_in_value_and_gradient(size, pool):
    x = jax.random.normal(jax.random.key(0), (2, *size, 3))
    flax = lambda x: nn.max_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1)))  # noqa: E731
    np.testing.assert_array_equal(pool(x), flax(x))
    ours, theirs = (jax.grad(lambda x, f=f: (f(x) ** 2).sum())(x) for f in (pool, flax))
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@FORMS
def test_gives_a_tie_to_torchs_pixel(pool):
    x = np.random.default_rng(0).integers(0, 2, (2, 9, 8, 5)).astype(np.float32)
    leaf = torch.from_numpy(x).permute(0, 3, 1, 2).requires_grad_()
    pooled = torch.nn.functional.max_pool2d(leaf, 3, 2, 1)
    weights = np.random.default_rng(1).normal(size=(2, 5, 4, 5)).astype(np.float32)
    (pooled * torch.from_numpy(weights).permute(0, 3, 1, 2)).sum().backward()
    got = jax.grad(lambda x: (pool(x) * weights).sum())(jnp.asarray(x))
    np.testing.assert_allclose(got, leaf.grad.permute(0, 2, 3, 1), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("halve", [pooling.halve, plain.halve_by_maximum], ids=["cpu", "plain"])
@pytest.mark.parametrize("size", [(8, 6), (7, 9)])
def test_halving_is_torchs_with_its_ties(halve, size):
    x = np.random.default_rng(0).integers(0, 3, (2, *size, 5)).astype(np.float32)
    leaf = torch.from_numpy(x).permute(0, 3, 1, 2).requires_grad_()
    pooled = torch.nn.functional.max_pool2d(leaf, 2, 2)
    weights = np.random.default_rng(1).normal(size=(2, *(n // 2 for n in size), 5))
    weights = weights.astype(np.float32)
    (pooled * torch.from_numpy(weights).permute(0, 3, 1, 2)).sum().backward()
    got, transpose = jax.vjp(halve, jnp.asarray(x))
    np.testing.assert_array_equal(got, pooled.detach().permute(0, 2, 3, 1))
    (gradient,) = transpose(jnp.asarray(weights))
    np.testing.assert_array_equal(gradient, leaf.grad.permute(0, 2, 3, 1))
