"""What holds for every loss: gradients, degenerate maps, bfloat16, a batch split in parts."""

import inspect
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P
from jax.test_util import check_grads

from tcam_jax.config import defaults
from tcam_jax.losses.inputs import LossInputs, Window
from tcam_jax.losses.objective import LOSSES, WINDOW_LOSSES, objective
from tcam_jax.losses.schedule import SCHEDULE

DEVICES = 8
EVERY_LOSS = sorted(LOSSES)


def settings_of(name, **changes):
    """The loss's settings in the base config, switched on."""
    settings = defaults.get_config().tcam.losses[name].to_dict()
    return settings | {"weight": settings["weight"] or 0.5} | changes


def example(logits, dtype=jnp.float32):
    """Inputs of one sample for each row of window logits `[b, t, h, w, 2]`, masks uneven."""
    rng = np.random.default_rng(0)
    b, t, h, w, _ = logits.shape
    density = np.linspace(0, 1, b)[:, None, None]
    seeds = np.where(rng.random((b, h, w)) < density, rng.integers(0, 2, (b, h, w)), -255)
    valid = rng.random((b, t)) < np.linspace(0, 1, b)[:, None]
    valid[:, -1] = True
    box = np.zeros((b, h, w), bool)
    box[:, h // 3 : h - 1, w // 4 : w - 1] = True
    images = jnp.asarray(rng.integers(0, 256, (b, t, h, w, 3)), dtype)
    return LossInputs(
        map_logits=logits[:, -1],
        images=images[:, -1],
        seeds=jnp.asarray(seeds, jnp.int32),
        barrier_t=jnp.asarray(3.0, jnp.promote_types(dtype, jnp.float32)),
        object_box=jnp.asarray(box),
        window=Window(logits, images, jnp.asarray(valid)),
    )


def total(logits, inputs, losses, **options):
    window = inputs.window._replace(map_logits=logits)
    inputs = inputs._replace(map_logits=logits[:, -1], window=window)
    return objective(inputs, losses, **options)


@pytest.mark.parametrize("name", EVERY_LOSS)
def test_the_base_config_has_it(name):
    settings = defaults.get_config().tcam.losses[name]
    parameters = list(inspect.signature(LOSSES[name]).parameters)[1:]
    assert set(settings) == {*SCHEDULE, *parameters}


@pytest.mark.parametrize("name", EVERY_LOSS)
def test_gradient_equals_finite_differences_in_float64(name):
    with jax.enable_x64(True):
        logits = jnp.asarray(np.random.default_rng(1).normal(0, 2, (3, 2, 5, 4, 2)))
        inputs = example(logits, jnp.float64)
        losses = {name: settings_of(name, weight=1.0, adaptive=False)}
        value = jax.jit(lambda logits: total(logits, inputs, losses)[0])
        check_grads(value, (logits,), order=1, modes=["rev"], rtol=1e-6, atol=1e-6)
        gradient = jax.jit(jax.grad(value))(logits)
        reached = np.asarray(jnp.abs(gradient).sum(axis=(0, 2, 3, 4)) > 0)
        assert reached.tolist() == [name in WINDOW_LOSSES, True]


def degenerate_maps():
    flat = np.zeros((2, 2, 6, 6, 2), np.float32)
    foreground = flat.copy()
    foreground[..., 1] = 1e4
    pixel = -foreground
    pixel[:, :, 2, 3] *= -1
    return {
        "undecided": flat,
        "all foreground": foreground,
        "all background": -foreground,
        "one pixel": pixel,
        "one-pixel map": np.zeros((2, 2, 1, 1, 2), np.float32),
    }


@cache  # compiled once for all maps of a size
def _every_loss_and_gradient():
    losses = {name: settings_of(name) for name in EVERY_LOSS}
    return jax.jit(jax.value_and_grad(partial(total, losses=losses), has_aux=True))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("case", degenerate_maps())
def test_nothing_is_ever_nan(case, dtype):
    logits, run = jnp.asarray(degenerate_maps()[case], dtype), _every_loss_and_gradient()
    for seeds in ("some", "none"):
        inputs = example(logits, dtype)
        if seeds == "none":
            inputs = inputs._replace(
                seeds=jnp.full_like(inputs.seeds, -255),
                object_box=jnp.zeros_like(inputs.object_box),
            )
        for t in (1.0, 10.0):
            at_t = inputs._replace(barrier_t=jnp.float32(t))
            (value, terms), gradient = run(logits, at_t)
            assert value.dtype == jnp.float32
            assert jnp.isfinite(value) and jnp.isfinite(gradient).all()
            assert all(jnp.isfinite(jnp.stack(term)).all() for term in terms.values())


@pytest.mark.parametrize("name", EVERY_LOSS)
def test_eight_devices_equal_one_in_float64(name):
    with jax.enable_x64(True):
        logits = jnp.asarray(np.random.default_rng(2).normal(0, 2, (2 * DEVICES, 3, 5, 4, 2)))
        inputs = example(logits, jnp.float64)
        losses = {name: settings_of(name)}

        def step(logits, inputs, axis_name=None):
            options = {"epoch": 2, "epochs": 3, "axis_name": axis_name}
            (value, terms), gradient = jax.value_and_grad(total, has_aux=True)(
                logits, inputs, losses, **options
            )
            return (value if axis_name is None else jax.lax.psum(value, axis_name)), terms, gradient

        expected = jax.jit(step)(logits, inputs)
        mesh = jax.sharding.Mesh(np.array(jax.devices()[:DEVICES]), ("data",))
        specs = jax.tree.map(lambda x: P("data") if x.ndim else P(), inputs)
        mapped = jax.shard_map(
            partial(step, axis_name="data"),
            mesh=mesh,
            in_specs=(P("data"), specs),
            out_specs=(P(), P(), P("data")),
            check_vma=False,
        )
        actual = jax.jit(mapped)(logits, inputs)
        assert float(jnp.abs(expected[2]).max()) > 0
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12), actual, expected
        )


def test_samples_that_do_not_count_are_as_if_they_were_not_there():
    with jax.enable_x64(True):
        logits = jnp.asarray(np.random.default_rng(5).normal(0, 2, (6, 1, 5, 4, 2)))
        inputs = example(logits, jnp.float64)._replace(window=None)
        valid = jnp.array([True, False, True, True, False, True])
        names = [name for name in EVERY_LOSS if name not in WINDOW_LOSSES]
        losses = {name: settings_of(name, adaptive=False) for name in names}

        @jax.jit
        def run(inputs):
            def value(logits):
                return objective(inputs._replace(map_logits=logits), losses)

            return jax.value_and_grad(value, has_aux=True)(inputs.map_logits)

        among_others, gradient = run(inputs._replace(valid=valid))
        kept = jax.tree.map(lambda x: x[valid] if x.ndim else x, inputs)
        alone, expected = run(kept)
        jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-9), among_others, alone)
        np.testing.assert_allclose(gradient[valid], expected, rtol=1e-9, atol=1e-12)
        assert not gradient[~valid].any() and (expected != 0).any(axis=(1, 2, 3)).all()


def test_an_adaptive_weight_is_the_size_of_the_term():
    logits = jnp.asarray(np.random.default_rng(3).normal(0, 2, (4, 3, 5, 4, 2)), jnp.float32)
    inputs = example(logits)
    for weight in (4.0, 9.0):
        losses = {"joint_color_crf": settings_of("joint_color_crf", weight=weight)}
        value, terms = total(logits, inputs, losses)
        np.testing.assert_allclose(value, -weight, rtol=1e-5)  # the energy is negative
    energy, count = terms["joint_color_crf"]
    plain = {"joint_color_crf": settings_of("joint_color_crf", weight=1.0, adaptive=False)}
    adaptive = jax.grad(lambda z: total(z, inputs, losses)[0])(logits)
    constant = jax.grad(lambda z: total(z, inputs, plain)[0])(logits)
    np.testing.assert_allclose(adaptive, constant * 9 / abs(energy / count), rtol=1e-4, atol=1e-9)


def test_a_loss_outside_its_epochs_is_measured_but_does_not_train():
    logits = jnp.asarray(np.random.default_rng(4).normal(0, 2, (2, 2, 5, 4, 2)), jnp.float32)
    inputs = example(logits)
    losses = {"size": settings_of("size", weight=1.0, start_epoch=2)}
    for epoch, trains in ((1, False), (2, True)):
        value, terms = total(logits, inputs, losses, epoch=epoch, epochs=4)
        assert float(terms["size"][0]) != 0
        assert (float(value) != 0) == trains
