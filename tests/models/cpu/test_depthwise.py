"""Sums of shifted products are XLA's grouped convolution, and so are their gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tcam_jax.models import plain
from tcam_jax.models.cpu import depthwise


@pytest.mark.parametrize("size", [(8, 8), (9, 12)])
@pytest.mark.parametrize(
    ("side", "stride", "dilation"), [(3, 1, 1), (3, 2, 1), (5, 2, 1), (5, 1, 4)]
)
def test_values_and_gradients(size, side, stride, dilation):
    keys = jax.random.split(jax.random.key(0), 3)
    with jax.enable_x64(True):
        x = jax.random.normal(keys[0], (2, *size, 3), jnp.float64)
        kernel = jax.random.normal(keys[1], (side, side, 1, 3), jnp.float64)

        def run(convolve):
            y, pull_back = jax.vjp(lambda x, k: convolve(x, k, stride, dilation), x, kernel)
            return y, *pull_back(jax.random.normal(keys[2], y.shape, jnp.float64))

        for ours, expected in zip(
            run(depthwise.convolve), run(plain.convolve_depthwise), strict=True
        ):
            np.testing.assert_allclose(ours, expected, rtol=1e-10, atol=1e-10)


def test_bfloat16_sums_are_of_float32():
    x = jnp.ones((1, 5, 5, 2), jnp.bfloat16)
    kernel = jnp.full((5, 5, 1, 2), 1 + 2**-7, jnp.bfloat16)
    middle = depthwise.convolve(x, kernel, 1, 1)[0, 2, 2]
    assert middle.dtype == jnp.bfloat16 and (middle == jnp.bfloat16(25 * (1 + 2**-7))).all()
