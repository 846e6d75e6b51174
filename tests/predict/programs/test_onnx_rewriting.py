"""A program in operations that jax2onnx converts does the same; run by JAX, jax2onnx not needed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export, lax

from tcam_jax.losses.kernels import grid
from tcam_jax.predict.programs.onnx_rewriting import rewritten


def _rewritten(program, *arrays):
    (batch,) = export.symbolic_shape("b")
    shapes = [jax.ShapeDtypeStruct((batch, *array.shape[1:]), array.dtype) for array in arrays]
    operations = rewritten(program, *shapes)
    names = {equation.primitive.name for equation in jax.make_jaxpr(operations)(*shapes).eqns}
    return export.export(jax.jit(operations))(*shapes).call(*arrays)[0], names


@pytest.mark.parametrize(
    ("window", "stride", "padding"),
    [((1, 3, 3, 1), (1, 2, 2, 1), ((0, 0), (1, 1), (1, 1), (0, 0))),
     ((1, 2, 3, 1), (1, 2, 1, 1), "VALID")],
)  # fmt: skip
def test_pooling(window, stride, padding):
    def pool(x):
        return lax.reduce_window(x, -jnp.inf, lax.max, window, stride, padding)

    x = np.random.default_rng(0).normal(size=(2, 8, 9, 3)).astype(np.float32) - 5
    found, names = _rewritten(pool, x)
    np.testing.assert_array_equal(found, pool(x))
    assert "reduce_window_max" not in names


def test_the_crfs_filter_of_all_frames_at_once():
    def filtered(values, images):
        everywhere = jnp.ones(values.shape[1:])
        kernel = (60.0, 20.0, "default")  # wide: a small grid
        return lax.map(
            lambda pair: grid.apply(pair[1], everywhere, pair[0], *kernel)[1], (values, images)
        )

    random = np.random.default_rng(0)
    values = random.normal(size=(3, 8, 12)).astype(np.float32)
    images = random.integers(0, 256, (3, 8, 12, 3)).astype(np.float32)
    found, names = _rewritten(filtered, values, images)
    np.testing.assert_allclose(found, jax.jit(filtered)(values, images), rtol=1e-5, atol=1e-5)
    assert found.std() > 0.1
    assert not names & {"jit", "scan", "cond", "platform_index", "custom_vmap_call"}


def test_what_is_computed_twice_or_for_nobody():
    def program(x):
        jnp.sin(x)  # for nobody
        return jnp.tanh(x * 2) + jnp.tanh(x * 2) + jnp.tanh(x * 3)

    x = np.ones((2, 3), np.float32)
    found, names = _rewritten(program, x)
    np.testing.assert_allclose(found, program(x), rtol=1e-6)
    shape = jax.ShapeDtypeStruct((2, 3), np.float32)
    operations = jax.make_jaxpr(rewritten(program, shape))(shape).eqns
    assert [each.primitive.name for each in operations].count("tanh") == 2 and "sin" not in names
