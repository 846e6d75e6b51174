from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from jax.sharding import PartitionSpec as P

from tcam_jax.losses.crf import crf
from tcam_jax.losses.inputs import LossInputs, Window
from tcam_jax.losses.objective import objective
from tcam_jax.losses.partial_ce import partial_ce
from tcam_jax.losses.size import size

LOSSES = {
    "partial_ce": {"weight": 1.0},
    "crf": {"weight": 2e-4, "sigma_rgb": 15.0, "sigma_xy": 100.0},
    "size": {"weight": 0.01},
}
DEVICES = 4


def example(labelled=(0.0, 0.9, 0.05, 0.3)):
    """Return one batch of two samples for each device, with uneven numbers of labels."""
    rng = np.random.default_rng(0)
    shape = (2 * DEVICES, 6, 5)
    density = np.repeat(labelled, 2)[:, None, None]
    seeds = np.where(rng.random(shape) < density, rng.integers(0, 2, shape), -255)
    return LossInputs(
        map_logits=jnp.asarray(rng.normal(0, 2, (*shape, 2)), jnp.float32),
        images=jnp.asarray(rng.integers(0, 256, (*shape, 3)), jnp.float32),
        seeds=jnp.asarray(seeds, jnp.int32),
        barrier_t=jnp.float32(1.5),
    )


def step(bias, inputs, axis_name=None):
    """Differentiate locally for a shared parameter, then sum over the axis."""

    def total(bias):
        return objective(
            inputs._replace(map_logits=inputs.map_logits + bias), LOSSES, axis_name=axis_name
        )

    (value, terms), gradient = jax.value_and_grad(total, has_aux=True)(bias)
    if axis_name is not None:
        value, gradient = jax.lax.psum((value, gradient), axis_name)
    return value, gradient, terms


def split(inputs):
    def part(values):
        return values.reshape(DEVICES, 2, *values.shape[1:])

    return jax.tree.map(part, inputs._replace(barrier_t=None))._replace(barrier_t=inputs.barrier_t)


def by_vmap(bias, inputs):
    axes = (None, LossInputs(0, 0, 0, None))
    run = jax.vmap(partial(step, axis_name="data"), in_axes=axes, axis_name="data")
    return jax.tree.map(lambda x: x[0], jax.jit(run)(bias, split(inputs)))


def by_pmap(bias, inputs):
    axes = (None, LossInputs(0, 0, 0, None))
    run = jax.pmap(
        partial(step, axis_name="data"),
        axis_name="data",
        in_axes=axes,
        out_axes=None,
        devices=jax.devices()[:DEVICES],
    )
    return run(bias, split(inputs))


def by_shard_map(bias, inputs):
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:DEVICES]), ("data",))
    specs = LossInputs(P("data"), P("data"), P("data"), P())
    run = jax.shard_map(
        partial(step, axis_name="data"),
        mesh=mesh,
        in_specs=(P(), specs),
        out_specs=P(),
        check_vma=False,
    )
    return jax.jit(run)(bias, inputs)


@pytest.mark.parametrize("mapped", [by_vmap, by_pmap, by_shard_map])
def test_split_batch_equals_global_batch(mapped):
    bias, inputs = jnp.array([0.3, -0.2]), example()
    assert int((inputs.seeds[:2] >= 0).sum()) == 0  # the first device has no labels at all
    expected = jax.jit(step)(bias, inputs)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=2e-5), mapped(bias, inputs), expected)


def test_total_is_the_weighted_sum_of_means():
    inputs = example()
    total, terms = objective(inputs, LOSSES)
    expected = 0
    for name, loss in {"partial_ce": partial_ce, "crf": crf, "size": size}.items():
        parameters = dict(LOSSES[name])
        weight = parameters.pop("weight")
        loss_sum, count = loss(inputs, **parameters)
        np.testing.assert_allclose(terms[name], (loss_sum, count), rtol=1e-6)
        expected += weight * loss_sum / count
    np.testing.assert_allclose(total, expected, rtol=1e-6)
    assert float(terms["partial_ce"][1]) == int((inputs.seeds >= 0).sum())
    assert float(terms["crf"][1]) == float(terms["size"][1]) == 2 * DEVICES


def test_colo_cams_objective_equals_torch_in_float64():
    """All pairs of pixels; every frame of three windows labelled, but those outside their shots."""
    rng, place = np.random.default_rng(1), (12, 12)
    valid = np.arange(4) >= np.array([[0], [2], [3]])  # shots of four frames, two, and one
    logits = rng.normal(0, 2, (*valid.shape, *place, 2))
    images = rng.integers(80, 140, (*valid.shape, *place, 3)).astype(float)
    seeds = rng.choice([-255, 0, 1], (valid.size, *place), p=[0.5, 0.2, 0.3])
    losses = {
        "partial_ce": {"weight": 1.0},
        "crf": {"weight": 2e-4, "sigma_rgb": 15.0, "sigma_xy": 100.0, "backend": "exact"},
        "size": {"weight": 0.01},
        "joint_color_crf": {"weight": 9.0, "adaptive": True, "sigma_rgb": 15.0, "backend": "exact"},
    }
    with jax.enable_x64(True):

        def value(logits):
            frames = valid.size
            return objective(
                LossInputs(
                    map_logits=logits.reshape(frames, *place, 2),
                    images=jnp.asarray(images).reshape(frames, *place, 3),
                    seeds=jnp.asarray(seeds),
                    barrier_t=jnp.asarray(2.0),
                    window=Window(logits, jnp.asarray(images), jnp.asarray(valid)),
                    valid=jnp.asarray(valid).reshape(frames),
                ),
                losses,
            )[0]

        found, gradient = jax.jit(jax.value_and_grad(value))(jnp.asarray(logits))

    z = torch.tensor(logits, requires_grad=True)
    s, rgb = z.softmax(-1), torch.tensor(images) / 15
    y, x = np.mgrid[: place[0], : place[1]] / 100
    xy = torch.tensor(np.stack([x, y], -1))

    def energy(maps, features):
        maps = maps.reshape(-1, 2)
        kernel = torch.exp(-(torch.cdist(features, features) ** 2) / 2)
        return -(maps * (kernel @ maps)).sum()

    def areas(maps):  # far above 1 / t^2
        return -torch.log(maps.sum((0, 1))).sum() / 2 / 2

    frames = [(i, t) for i, t in np.ndindex(valid.shape) if valid[i, t]]
    labels = torch.tensor(seeds).reshape(*valid.shape, *place)
    expected = torch.nn.functional.cross_entropy(
        torch.cat([z[at].reshape(-1, 2) for at in frames]),
        torch.cat([labels[at].reshape(-1) for at in frames]),
        ignore_index=-255,
    )
    for at in frames:
        single = energy(s[at], torch.cat([xy, rgb[at]], -1).reshape(-1, 5))
        expected = expected + (2e-4 * single + 0.01 * areas(s[at])) / len(frames)
    # One frame alone has nothing to agree with: the mean is over the other two windows.
    joint = sum(energy(s[i, v], rgb[i, v].reshape(-1, 3)) for i, v in enumerate(valid[:2])) / 2
    expected = expected + 9 * joint / joint.abs().detach()
    expected.backward()
    np.testing.assert_allclose(found, expected.item(), rtol=1e-9)
    np.testing.assert_allclose(gradient, z.grad, rtol=1e-7, atol=1e-12)
    assert not gradient[~valid].any() and gradient[valid].all(axis=-1).mean() > 0.99


def test_batch_without_labels_gives_zero_not_nan():
    inputs = example(labelled=(0, 0, 0, 0))
    losses = {"partial_ce": {"weight": 1.0}}

    def total(logits):
        return objective(inputs._replace(map_logits=logits), losses)[0]

    value, gradient = jax.value_and_grad(total)(inputs.map_logits)
    assert float(value) == 0
    assert not gradient.any()


def test_unconfigured_losses_are_left_out():
    total, terms = objective(example(), {"size": {"weight": 1.0}})
    assert set(terms) == {"size"}
    np.testing.assert_allclose(total, terms["size"][0] / terms["size"][1], rtol=1e-6)


def test_unknown_loss_is_refused():
    with pytest.raises(ValueError, match="'crv'.*crf, partial_ce, size"):
        objective(example(), {"crv": {"weight": 1.0}})


def test_missing_weight_is_refused():
    with pytest.raises(ValueError, match=r"losses\.size\.weight"):
        objective(example(), {"size": {}})
