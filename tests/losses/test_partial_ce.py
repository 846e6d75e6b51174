import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch.nn.functional import cross_entropy

from tcam_jax.losses.inputs import LossInputs
from tcam_jax.losses.partial_ce import partial_ce


def example(labelled):
    rng = np.random.default_rng(0)
    seeds = np.where(rng.random((3, 6, 5)) < labelled, rng.integers(0, 2, (3, 6, 5)), -255)
    return LossInputs(
        map_logits=jnp.asarray(rng.normal(0, 3, (3, 6, 5, 2)), jnp.float32),
        images=jnp.zeros((3, 6, 5, 3)),
        seeds=jnp.asarray(seeds, jnp.int32),
        barrier_t=jnp.float32(1),
    )


def value(logits, inputs):
    total, count = partial_ce(inputs._replace(map_logits=logits))
    return total / count


def test_value_and_gradient_equal_torch():
    inputs = example(0.3)
    loss, gradient = jax.value_and_grad(value)(inputs.map_logits, inputs)

    logits = torch.tensor(np.asarray(inputs.map_logits), requires_grad=True)
    expected = cross_entropy(
        logits.permute(0, 3, 1, 2),
        torch.tensor(np.asarray(inputs.seeds), dtype=torch.long),
        ignore_index=-255,
    )
    expected.backward()
    np.testing.assert_allclose(loss, expected.item(), rtol=1e-6)
    np.testing.assert_allclose(gradient, logits.grad, rtol=1e-5, atol=1e-8)


def test_without_labels_sum_count_and_gradient_are_zero():
    inputs = example(0)
    total, count = partial_ce(inputs)
    assert (float(total), float(count)) == (0, 0)
    gradient = jax.grad(lambda logits: partial_ce(inputs._replace(map_logits=logits))[0])
    assert not gradient(inputs.map_logits).any()


def test_saturated_logits_stay_finite():
    inputs = example(1.0)
    inputs = inputs._replace(map_logits=inputs.map_logits * 1e4)
    total, _ = partial_ce(inputs)
    assert jnp.isfinite(total)


def test_bfloat16_logits_are_summed_in_float32():
    inputs = example(0.3)
    inputs = inputs._replace(map_logits=inputs.map_logits.astype(jnp.bfloat16))
    total, count = partial_ce(inputs)
    assert total.dtype == count.dtype == jnp.float32
