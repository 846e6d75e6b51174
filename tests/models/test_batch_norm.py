import jax
import jax.numpy as jnp
import numpy as np
import torch

from tcam_jax.models.batch_norm import BatchNorm


def test_training_matches_torch_including_running_variance():
    x = np.random.default_rng(0).normal(3, 2, (4, 5, 6, 7)).astype(np.float32)
    torch_norm = torch.nn.BatchNorm2d(7)
    norm = BatchNorm(train=True)
    variables = norm.init(jax.random.key(0), jnp.asarray(x))
    for _ in range(3):
        expected = torch_norm(torch.from_numpy(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        y, updates = norm.apply(variables, jnp.asarray(x), mutable=["batch_stats"])
        variables = {**variables, **updates}
        np.testing.assert_allclose(y, expected.detach().numpy(), atol=2e-6)
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


def test_synchronised_over_devices_equals_the_whole_batch():
    x = np.random.default_rng(2).normal(size=(8, 2, 3, 3, 5)).astype(np.float32)
    x *= np.arange(1, 9)[:, None, None, None, None]  # devices with very different statistics
    whole = jnp.asarray(x).reshape(16, 3, 3, 5)
    variables = BatchNorm(train=True).init(jax.random.key(0), whole)

    def apply(axis):
        return lambda x: BatchNorm(train=True, axis_name=axis).apply(  # noqa: E731
            variables, x, mutable=["batch_stats"]
        )

    y, stats = jax.pmap(apply("data"), axis_name="data")(x)
    expected, expected_stats = apply(None)(whole)
    np.testing.assert_allclose(y.reshape(whole.shape), expected, atol=1e-5)
    jax.tree.map(
        lambda device, one: np.testing.assert_allclose(
            device, np.broadcast_to(one, device.shape), rtol=1e-5
        ),
        stats,
        expected_stats,
    )
