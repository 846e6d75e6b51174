import jax
import jax.numpy as jnp
import numpy as np
import torch

from tcam_jax.config import defaults
from tcam_jax.train.optimizer import sgd, stepped_schedule
from tcam_jax.train.state import create_state
from tcam_jax.train.update import update


def test_schedule_against_the_published_numbers():
    config = defaults.get_config().classifier.optimizer  # 0.001, times 0.9 every 15 epochs
    schedule = stepped_schedule(config, steps_per_epoch=87)
    for epoch, expected in ((0, 1e-3), (14, 1e-3), (15, 9e-4), (90, 1e-3 * 0.9**6)):
        for step in (epoch * 87, epoch * 87 + 86):
            np.testing.assert_allclose(schedule(jnp.int32(step)), expected, rtol=1e-6)
    config.min_learning_rate = 5e-4
    assert schedule(jnp.int32(10**6)) == np.float32(5e-4)


def test_sgd_equals_torch_with_two_learning_rates():
    config = defaults.get_config().classifier.optimizer
    config.learning_rate, config.weight_decay, config.step_epochs = 0.1, 0.03, 1
    rng = np.random.default_rng(0)
    initial = {
        "encoder": {"layer3_0": rng.normal(size=5), "layer4_0": rng.normal(size=5)},
        "classification_head": {"fc": rng.normal(size=5)},
    }
    grads = [jax.tree.map(lambda x: rng.normal(size=x.shape), initial) for _ in range(6)]

    params = jax.tree.map(jnp.float32, initial)
    rest = {
        "optimizer": sgd(config),
        "schedule": stepped_schedule(config, steps_per_epoch=2),
        "axis_name": None,
    }
    state = create_state({"params": params, "batch_stats": {}}, rest["optimizer"])
    for grad in grads:
        state, _ = update(state, jax.tree.map(jnp.float32, grad), {}, jnp.zeros(()), **rest)
    params = state.params

    leaves, _ = jax.tree.flatten(initial)  # in the order head, layer3, layer4
    tensors = [torch.tensor(leaf, requires_grad=True) for leaf in leaves]
    ratios = (10, 1, 10)
    reference = torch.optim.SGD(
        [{"params": [x], "lr": 0.1 * r} for x, r in zip(tensors, ratios, strict=True)],
        momentum=0.9,
        nesterov=True,
        weight_decay=0.03,
    )
    decay = torch.optim.lr_scheduler.StepLR(reference, step_size=2, gamma=0.9)
    for grad in grads:
        for tensor, leaf in zip(tensors, jax.tree.leaves(grad), strict=True):
            tensor.grad = torch.tensor(leaf)
        reference.step()
        decay.step()
    for ours, theirs in zip(jax.tree.leaves(params), tensors, strict=True):
        np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=2e-5, atol=1e-6)
