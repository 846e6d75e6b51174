"""Convolutions in their fast forms against XLA's convolution and against float64 sums."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from tcam_jax.benchmark.flop_count import count_flops
from tcam_jax.models import plain
from tcam_jax.models.cpu import narrow, winograd
from tcam_jax.models.cpu.convolution import convolve
from tcam_jax.models.layers import Conv


def _arrays(b, height, width, c, d):
    """Draw features, a kernel, and weights of the outputs, float32."""
    rng = np.random.default_rng(0)
    shapes = (b, height, width, c), (3, 3, c, d), (b, height, width, d)
    return [jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in shapes]


def _sums(x, kernel):
    """Convolve in float64, tap by tap."""
    height, width = x.shape[1:3]
    padded = np.pad(np.asarray(x, np.float64), ((0, 0), (1, 1), (1, 1), (0, 0)))
    taps = np.asarray(kernel, np.float64)
    return sum(
        padded[:, i : i + height, j : j + width] @ taps[i, j] for i in range(3) for j in range(3)
    )


def _assert_close(got, expected):
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-5 * np.abs(expected).max())


SHAPES = [(1, 28, 28), (4, 14, 13), (3, 15, 17), (700, 1, 1)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_is_the_convolution(shape):
    x, kernel, _ = _arrays(*shape, 64, 72)
    assert winograd.pays(x.shape, 72, x.dtype, with_terms=False)
    _assert_close(np.asarray(jax.jit(winograd.convolve)(x, kernel)), _sums(x, kernel))


@pytest.mark.parametrize("channels", [(64, 72), (32, 40)], ids=["all", "kernel gradient only"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_its_gradients_are_the_convolutions(shape, channels):
    x, kernel, weights = _arrays(*shape, *channels)

    def gradients(convolve):
        loss = lambda x, kernel: (convolve(x, kernel) * weights).sum()  # noqa: E731
        return jax.jit(jax.grad(loss, (0, 1)))(x, kernel)

    for got, expected in zip(gradients(winograd.convolve), gradients(plain.convolve), strict=True):
        _assert_close(np.asarray(got), np.asarray(expected))


def test_terms_at_hand_change_neither_value_nor_gradients():
    x, kernel, weights = _arrays(1, 28, 28, 64, 72)

    def both(*terms):
        value, transpose = jax.vjp(lambda x, k: winograd.convolve(x, k, *terms), x, kernel)
        return value, *transpose(weights)

    jax.tree.map(np.testing.assert_array_equal, both(winograd.transform(kernel)), both())


def test_groups_of_images_change_nothing(monkeypatch):
    x, kernel, weights = _arrays(6, 12, 12, 64, 64)

    def both():
        value, transpose = jax.vjp(winograd.convolve, x, kernel)
        return value, *transpose(weights)

    whole = both()
    image = 4 * 4 * 12 * 12 * 64
    for images in (1, 2.5):  # 6 groups of one, 3 of two
        monkeypatch.setattr(winograd, "_MAX_TILE_BYTES", int(images * image))
        jax.clear_caches()
        for got, expected in zip(both(), whole, strict=True):
            _assert_close(np.asarray(got), np.asarray(expected))


@pytest.mark.parametrize(
    ("shape", "features", "dtype", "pays", "pays_with_terms"),
    [
        ((1, 28, 28, 64), 64, jnp.float32, True, True),
        ((16, 10, 10, 512), 512, jnp.float32, True, True),
        ((1, 10, 10, 512), 512, jnp.float32, False, True),  # few pixels
        ((1, 5, 5, 512), 512, jnp.float32, False, False),  # fewer
        ((4, 112, 112, 128), 16, jnp.float32, False, False),  # few channels
        ((4, 28, 28, 512), 512, jnp.bfloat16, False, False),
    ],
)
def test_large_float32_layers_are_transformed(shape, features, dtype, pays, pays_with_terms):
    assert winograd.pays(shape, features, dtype, with_terms=False) is pays
    assert winograd.pays(shape, features, dtype, with_terms=True) is pays_with_terms


def test_a_small_layer_reads_the_terms_it_is_given():
    layer = Conv(64, 3)
    x, kernel, weights = _arrays(1, 10, 12, 64, 64)
    variables = {"params": {"kernel": kernel}}
    prepared = {**variables, "kernel_terms": {"kernel": winograd.transform(kernel)}}

    def both(variables):
        value, transpose = jax.vjp(lambda x: layer.apply(variables, x), x)
        return value, *transpose(weights)

    for got, expected in zip(both(prepared), both(variables), strict=True):
        _assert_close(np.asarray(got), np.asarray(expected))
    doubled = jax.tree.map(lambda x: 2 * x, prepared)
    jax.tree.map(
        lambda got, once: np.testing.assert_allclose(got, 2 * once, rtol=1e-6),
        both({**prepared, "kernel_terms": doubled["kernel_terms"]}),
        both(prepared),
    )


def test_an_exported_program_takes_any_batch():
    layer = Conv(64, 3)
    x, kernel, _ = _arrays(3, 28, 28, 64, 64)
    apply = jax.jit(lambda x: layer.apply({"params": {"kernel": kernel}}, x))
    batch = jax.export.symbolic_shape("b, 28, 28, 64")
    exported = jax.export.export(apply)(jax.ShapeDtypeStruct(batch, np.float32))
    for images in (1, 3):
        _assert_close(np.asarray(exported.call(x[:images])), _sums(x[:images], kernel))


def test_constant_features_get_no_gradient():
    x, kernel, _ = _arrays(1, 28, 28, 64, 64)
    loss = lambda kernel: jnp.square(winograd.convolve(x, kernel)).sum()  # noqa: E731
    products = 16 * 14 * 14 * 64 * 64  # in each direction
    assert count_flops(jax.make_jaxpr(jax.grad(loss))(kernel).jaxpr) == 2 * 2 * products


@pytest.mark.parametrize(
    ("size", "stride", "shape"),
    [((7, 7), 2, (18, 13, 3)), ((3, 3), 2, (9, 12, 8)), ((5, 5), 1, (6, 9, 8))]
    + [(size, 1, (9, 6, 4)) for size in ((1, 7), (7, 1), (1, 3), (3, 1))],
    ids=str,
)
def test_strided_is_torchs_convolution_with_its_gradients(size, stride, shape):
    x, _, _ = _arrays(2, *shape, 1)
    kernel = jax.random.normal(jax.random.key(0), (*size, shape[-1], 10))
    leaves = [torch.from_numpy(np.array(a)).requires_grad_() for a in (x, kernel)]
    images, weight = leaves[0].permute(0, 3, 1, 2), leaves[1].permute(3, 2, 0, 1)
    padding = tuple(side // 2 for side in size)
    expected = torch.nn.functional.conv2d(images, weight, stride=stride, padding=padding)
    expected.sin().sum().backward()
    got, transpose = jax.vjp(partial(convolve, stride=stride), x, kernel)
    _assert_close(np.asarray(got), expected.detach().permute(0, 2, 3, 1).numpy())
    for gradient, leaf in zip(transpose(jnp.cos(got)), leaves, strict=True):
        _assert_close(np.asarray(gradient), leaf.grad.numpy())


@pytest.mark.parametrize(("channels", "features"), [(3, 16), (20, 2), (2, 4)])
def test_few_channels_are_convolved_with_their_gradients(channels, features):
    """Frames, by rows; to few channels, in shifted parts."""
    x, kernel, weights = _arrays(2, 9, 12, channels, features)

    def both(convolve):
        value, transpose = jax.vjp(lambda x, kernel: convolve(x, kernel, 1), x, kernel)
        return value, *transpose(weights)

    for got, expected in zip(both(convolve), both(plain.convolve), strict=True):
        _assert_close(np.asarray(got), np.asarray(expected))
    if features <= narrow.MAX_FEATURES:
        operations = str(jax.make_jaxpr(lambda *a: convolve(*a, 1))(x, kernel))
        assert "conv_general_dilated" not in operations


def test_sums_of_few_channels_are_of_float32():
    x = jnp.ones((1, 3, 3, 1), jnp.bfloat16)
    middle = narrow.convolve(x, jnp.full((3, 3, 1, 2), 1 + 2**-7, jnp.bfloat16))[0, 1, 1]
    assert middle.dtype == jnp.bfloat16 and (middle == jnp.bfloat16(9 * (1 + 2**-7))).all()


@pytest.mark.parametrize("stride", [1, 2])
def test_pointwise_is_the_convolution_with_its_gradients(stride):
    x, _, _ = _arrays(2, 9, 7, 12, 1)
    kernel = jax.random.normal(jax.random.key(0), (1, 1, 12, 20))

    def both(convolve):
        loss = lambda x, kernel: jnp.sin(convolve(x, kernel, stride)).sum()  # noqa: E731
        return jax.value_and_grad(loss, (0, 1))(x, kernel)

    jax.tree.map(
        partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5),
        both(convolve),
        both(plain.convolve),
    )
