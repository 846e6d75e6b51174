import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from tcam_jax.models import cpu
from tcam_jax.models.batch_norm import BatchNorm

# A CPU takes two passes over the activations, accelerators one.
both_ways = pytest.mark.parametrize(("platform", "atol"), [("cpu", 2e-6), ("cuda", 1e-5)])


@both_ways
def test_training_matches_torch_including_running_variance(platform, atol):
    x = np.random.default_rng(0).normal(3, 2, (4, 5, 6, 7)).astype(np.float32)
    torch_norm = torch.nn.BatchNorm2d(7)
    norm = BatchNorm(train=True)
    variables = norm.init(jax.random.key(0), jnp.asarray(x))
    for _ in range(3):
        expected = torch_norm(torch.from_numpy(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        with cpu.traced_for(platform):
            y, updates = norm.apply(variables, jnp.asarray(x), mutable=["batch_stats"])
        variables = {**variables, **updates}
        np.testing.assert_allclose(y, expected.detach().numpy(), atol=atol)
        x = x * 1.5 + 1
    stats = variables["batch_stats"]
    np.testing.assert_allclose(stats["mean"], torch_norm.running_mean.numpy(), rtol=1e-5)
    np.testing.assert_allclose(stats["var"], torch_norm.running_var.numpy(), rtol=1e-5)


def test_inference_matches_torch():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, 3, 3, 4)).astype(np.float32)
    values = {name: rng.uniform(0.5, 2, 4).astype(np.float32) for name in ("s", "b", "m", "v")}
    torch_norm = torch.nn.BatchNorm2d(4).eval()
    torch_norm.load_state_dict(
        {
            "weight": torch.from_numpy(values["s"]),
            "bias": torch.from_numpy(values["b"]),
            "running_mean": torch.from_numpy(values["m"]),
            "running_var": torch.from_numpy(values["v"]),
        },
        strict=False,
    )
    variables = {
        "params": {"scale": values["s"], "bias": values["b"]},
        "batch_stats": {"mean": values["m"], "var": values["v"]},
    }
    y = BatchNorm(train=False).apply(variables, jnp.asarray(x))
    expected = torch_norm(torch.from_numpy(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    np.testing.assert_allclose(y, expected.detach().numpy(), atol=1e-6)


@pytest.mark.parametrize("offset", [3.0, 100.0])
def test_one_pass_equals_two_forwards_and_backwards(offset):
    """Also where the mean is large beside the deviation, once the running mean has come near."""
    rng = np.random.default_rng(3)
    x = jnp.asarray(rng.normal(size=(4, 5, 6, 7)) + offset, jnp.float32)
    # A channel that never varies has no digits to compare, but must be finite.
    x = x.at[..., 0].set(1234.567)
    weights = jnp.asarray(rng.normal(size=x.shape), jnp.float32)
    near = jnp.asarray(offset + rng.normal(size=7), jnp.float32)
    params = {"scale": jnp.ones(7), "bias": jnp.zeros(7)}
    stats = {"mean": near, "var": jnp.ones(7)}

    def loss(x, params):
        variables = {"params": params, "batch_stats": stats}
        y, updates = BatchNorm(train=True).apply(variables, x, mutable=["batch_stats"])
        return (jnp.sin(y) * weights).mean(), updates

    def found(platform):
        with cpu.traced_for(platform):
            # A function of its own: what is traced is looked up by it.
            gradient = jax.jit(lambda *args: jax.grad(loss, argnums=(0, 1), has_aux=True)(*args))
            return gradient(x, params)

    def check(two, one):
        assert np.isfinite(one).all()
        np.testing.assert_allclose(one[..., 1:], two[..., 1:], rtol=1e-4, atol=1e-6)

    jax.tree.map(check, found("cpu"), found("cuda"))


@both_ways
def test_synchronised_over_devices_equals_the_whole_batch(platform, atol):
    x = np.random.default_rng(2).normal(size=(8, 2, 3, 3, 5)).astype(np.float32)
    x *= np.arange(1, 9)[:, None, None, None, None]  # devices with very different statistics
    whole = jnp.asarray(x).reshape(16, 3, 3, 5)
    variables = BatchNorm(train=True).init(jax.random.key(0), whole)

    def apply(axis):
        return lambda x: BatchNorm(train=True, axis_name=axis).apply(  # noqa: E731
            variables, x, mutable=["batch_stats"]
        )

    with cpu.traced_for(platform):
        y, stats = jax.pmap(apply("data"), axis_name="data")(x)
    expected, expected_stats = apply(None)(whole)
    np.testing.assert_allclose(y.reshape(whole.shape), expected, atol=5 * atol)
    jax.tree.map(
        lambda device, one: np.testing.assert_allclose(
            device, np.broadcast_to(one, device.shape), rtol=1e-5
        ),
        stats,
        expected_stats,
    )
