"""The network without a CPU's kernels: derivatives of any order and direction, on any platform."""

from functools import partial
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tcam_jax.models import cpu
from tcam_jax.models.batch_norm import BatchNorm
from tcam_jax.models.encoders.encoder import Encoder, Feature
from tcam_jax.models.layers import Conv, DepthwiseConv, max_pool, normalised
from tcam_jax.models.tcam import TCAM, init_variables

SIZE = 32
OURS = "custom_vjp_call"


class Mixed(Encoder):
    """One layer of every kind that has a CPU's kernel; a whole ResNet has many of two kinds."""

    output_strides: ClassVar = (8,)
    last_stage: ClassVar = ("conv4", "bn4")
    renamings: ClassVar = ()

    @property
    def features(self):
        return (Feature("stem", 64, 2), Feature("middle", 64, 4), Feature("last", 72, 8))

    @nn.compact
    def __call__(self, x, after=None):
        def layer(x, number, convolution, **attributes):
            norm = BatchNorm(self.train, self.axis_name, self.dtype, name=f"bn{number}")
            made = convolution(**attributes, dtype=self.dtype, name=f"conv{number}")
            return nn.relu(normalised(x, made, norm))

        stem = layer(x.astype(self.dtype), 1, Conv, features=64, kernel_size=7, stride=2)
        middle = layer(max_pool(stem), 2, Conv, features=64, kernel_size=3)
        deep = layer(middle, 3, DepthwiseConv, kernel_size=3, stride=2)
        last = layer(deep, 4, Conv, features=72, kernel_size=1)
        return {"stem": stem, "middle": middle, "last": last}


def _loss(train=False, dtype=jnp.float32):
    """Return (params, frames) -> a scalar of everything that classifier and localiser put out."""
    model = TCAM(
        num_classes=3,
        backbone=Mixed,
        train_classifier=train,
        train_localiser=train,
        dtype=dtype,
    )
    variables = init_variables(model, jax.random.key(0), SIZE)

    def loss(params, frames):
        (classified, maps), _ = model.apply(
            {**variables, "params": params}, frames, mutable=["batch_stats"]
        )
        of_class = jax.nn.log_softmax(classified.logits)[:, 0].mean()
        return jnp.square(jax.nn.softmax(maps)).mean() - of_class

    return loss, variables["params"]


def _frames(batch=2, size=SIZE):
    return jax.random.normal(jax.random.key(1), (batch, size, size, 3))


@pytest.fixture(params=["another device", "switched off"])
def plain(request, monkeypatch):
    """Without a CPU's kernels, as on a GPU or as a user asks for it."""
    jax.clear_caches()  # JAX knows its programs by functions, not by these two
    if request.param == "another device":
        monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    else:
        monkeypatch.setenv("TCAM_CPU_KERNELS", "0")


def _derivatives(loss, params, frames):
    """Return jvp, linearisation and Hessian of the loss, in the colour added to all frames."""
    of_color = lambda color: loss(params, frames + color)  # noqa: E731
    color, tangent = jnp.zeros(3, frames.dtype), jnp.asarray([1.0, -2.0, 0.5], frames.dtype)
    value, slope = jax.jvp(of_color, (color,), (tangent,))
    linear_value, linear = jax.linearize(of_color, color)
    return (value, slope), (linear_value, linear(tangent)), jax.hessian(of_color)(color)


@pytest.mark.slow
@pytest.mark.parametrize("plain", ["another device"], indirect=True)
def test_derivatives_of_any_order_are_those_of_finite_differences(plain):
    with jax.enable_x64(True):
        loss, params = _loss(train=True, dtype=jnp.float64)
        params = jax.tree.map(lambda x: x.astype(jnp.float64), params)
        frames = _frames().astype(jnp.float64)
        forward, linear, hessian = jax.jit(partial(_derivatives, loss))(params, frames)
        gradient = jax.jit(jax.grad(lambda color: loss(params, frames + color)))
        steps = 1e-6 * np.eye(3)
        differences = [(gradient(step) - gradient(-step)) / 2e-6 for step in steps]
        expected = gradient(np.zeros(3)) @ np.asarray([1.0, -2.0, 0.5])
    np.testing.assert_allclose(forward[1], expected, rtol=1e-9)
    np.testing.assert_allclose(linear, forward, rtol=1e-9)
    np.testing.assert_allclose(hessian, differences, atol=1e-5 * np.abs(hessian).max())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("plain", "dtype"),
    [("another device", jnp.bfloat16), ("switched off", jnp.float32)],
    indirect=["plain"],
)
def test_nothing_of_ours_is_in_it_on_any_platform(plain, dtype):
    loss, params = _loss(train=True, dtype=dtype)
    work = lambda *inputs: (jax.value_and_grad(loss)(*inputs), _derivatives(loss, *inputs))  # noqa: E731
    assert OURS not in str(jax.make_jaxpr(loss)(params, _frames()))
    traced = jax.jit(work).trace(params, _frames())
    for platform in ("cuda", "tpu"):
        text = traced.lower(lowering_platforms=(platform,)).as_text()
        assert "stablehlo.convolution" in text and "stablehlo.case" not in text


def test_a_cpus_kernels_have_a_first_gradient_only():
    loss, params = _loss()
    assert OURS in str(jax.make_jaxpr(loss)(params, _frames()))
    with pytest.raises(TypeError, match="custom_vjp"):
        jax.eval_shape(partial(_derivatives, loss), params, _frames())


# In float32 a few activations come to lie on the other side of a ReLU or of a maximum, and their
# gradients with them; float64 has the same kernels but Winograd's, for which see test_convolution.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("dtype", "value_within", "gradient_within"),
    [(jnp.float64, 1e-12, 1e-10), (jnp.float32, 1e-5, 1e-2)],
)
def test_a_cpus_kernels_change_neither_value_nor_gradient(dtype, value_within, gradient_within):
    results = []
    with jax.enable_x64(dtype == jnp.float64):
        loss, params = _loss(dtype=dtype)
        inputs = jax.tree.map(lambda x: x.astype(dtype), (params, _frames(4, 64)))
        both = jax.jit(jax.value_and_grad(loss))
        for platform in ("cpu", "cuda"):
            with cpu.traced_for(platform):
                results.append(jax.device_get(both(*inputs)))
    (got, gradient), (expected, expected_gradient) = results
    np.testing.assert_allclose(got, expected, rtol=value_within)
    jax.tree.map(
        lambda g, e: np.testing.assert_allclose(
            g, e, rtol=0, atol=gradient_within * np.abs(e).max()
        ),
        gradient,
        expected_gradient,
    )


@pytest.mark.parametrize(
    "layer",
    [partial(Conv, 5, 3), partial(Conv, 5, 1), partial(DepthwiseConv, 3, 2)],
    ids=["3x3", "1x1", "depthwise"],
)
def test_running_statistics_are_part_of_the_convolution_on_an_accelerator(layer):
    class Both(nn.Module):
        @nn.compact
        def __call__(self, x):
            return normalised(x, layer(name="conv"), BatchNorm(train=False, name="bn"))

    x = jax.random.normal(jax.random.key(1), (2, 6, 6, 5))
    variables = Both().init(jax.random.key(0), x)
    other = iter(jax.random.uniform(jax.random.key(2), (4, 5), minval=0.5, maxval=2.0))
    variables = jax.tree.map(lambda v: v if v.ndim == 4 else next(other), variables)
    results, squares = [], []
    for platform in ("cpu", "cuda"):
        with cpu.traced_for(platform):
            results.append(Both().apply(variables, x))
            program = jax.make_jaxpr(lambda x: Both().apply(variables, x))(x)
            squares.append([e for e in program.eqns if e.primitive.name == "mul" and _large(e)])
    np.testing.assert_allclose(results[1], results[0], rtol=1e-5, atol=1e-5)
    assert [len(found) for found in squares] == [1, 0]  # products of all activations


def _large(equation):
    return equation.outvars[0].aval.shape[0] == 2
