from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.tcam import (
    CLASSIFIER_PARTS,
    LOCALISER_PARTS,
    TCAM,
    for_inference,
    init_variables,
    merge,
    select,
    variable_shapes,
)
from tcam_jax.models.unet import resize_align_corners, upsample_to


def _count(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


# Encoders: torchvision's models without their last layer. Decoder and heads of ResNet50: the
# reference implementation's.
@pytest.mark.parametrize(
    ("depth", "expected"),
    [
        (10, {"encoder": 4_905_792}),  # pytorchcv's resnet10, likewise
        (18, {"encoder": 11_176_512}),
        (34, {"encoder": 21_284_672}),
        (
            50,
            {
                "encoder": 23_508_032,
                "decoder": 9_012_928,
                "map_head": 290,
                "classification_head": 20_490,
            },
        ),
        (101, {"encoder": 42_500_160}),
    ],
)
def test_parameter_counts(depth, expected):
    shapes = jax.eval_shape(
        TCAM(num_classes=10, backbone=ENCODERS[f"resnet{depth}"]).init,
        jax.random.key(0),
        jnp.zeros((1, 64, 64, 3)),
    )
    counts = {part: _count(tree) for part, tree in shapes["params"].items()}
    assert {part: counts[part] for part in expected} == expected


@pytest.mark.parametrize(
    ("output_stride", "size", "last"), [(8, 224, 28), (16, 224, 14), (32, 224, 7), (8, 113, 15)]
)
def test_shapes_at_every_stride_and_at_odd_sizes(output_stride, size, last):
    backbone = partial(ENCODERS["resnet18"], output_stride=output_stride)
    model = TCAM(num_classes=10, backbone=backbone)
    frames = jnp.zeros((2, size, size, 3))
    (output, map_logits), _ = jax.eval_shape(model.init_with_output, jax.random.key(0), frames)
    assert output.features["layer4"].shape == (2, last, last, 512)
    assert output.logits.shape == (2, 10)
    assert map_logits.shape == (2, size, size, 2)


def test_bfloat16_activations_keep_float32_parameters_and_outputs():
    model = TCAM(num_classes=10, backbone=ENCODERS["resnet18"], dtype=jnp.bfloat16)
    frames = jnp.zeros((1, 32, 32, 3))
    (output, map_logits), variables = jax.eval_shape(
        model.init_with_output, jax.random.key(0), frames
    )
    assert output.features["layer4"].dtype == jnp.bfloat16
    assert output.logits.dtype == map_logits.dtype == jnp.float32
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}


def test_parts_come_apart_and_together():
    variables = variable_shapes(TCAM(num_classes=3, backbone=ENCODERS["resnet18"]), 32)
    classifier, localiser = (select(variables, p) for p in (CLASSIFIER_PARTS, LOCALISER_PARTS))
    assert _count(classifier) + _count(localiser) == _count(variables)
    assert jax.tree.structure(merge(classifier, localiser)) == jax.tree.structure(variables)


@pytest.mark.parametrize("target", [(14, 14), (13, 15), (7, 7), (28, 20)])
def test_upsampling_equals_torch(target):
    x = np.random.default_rng(0).normal(size=(2, 7, 7, 3)).astype(np.float32)
    channels_first = torch.from_numpy(x).permute(0, 3, 1, 2)
    doubled = torch.nn.functional.interpolate(channels_first, scale_factor=2, mode="nearest")
    expected = torch.nn.functional.interpolate(
        doubled, size=target, mode="bilinear", align_corners=True
    )
    np.testing.assert_allclose(
        upsample_to(jnp.asarray(x), target), expected.permute(0, 2, 3, 1).numpy(), atol=1e-5
    )


def test_resize_to_one_pixel_takes_the_first_as_torch():
    x = jnp.arange(12.0).reshape(1, 3, 4, 1)
    np.testing.assert_array_equal(resize_align_corners(x, (1, 1)), [[[[0.0]]]])


@pytest.mark.slow
def test_rematerialisation_keeps_the_variables_the_maps_and_the_gradients():
    models = [
        TCAM(
            num_classes=3, backbone=ENCODERS["resnet10"], train_localiser=True, remat_decoder=remat
        )
        for remat in (False, True)
    ]
    variables = [init_variables(model, jax.random.key(0), 32) for model in models]
    jax.tree.map(np.testing.assert_array_equal, *variables)
    frames = jax.random.normal(jax.random.key(1), (2, 32, 32, 3))
    features = models[0].apply(variables[0], frames, method="classify").features

    params = variables[0]["params"]

    def loss(params, model):
        maps, updates = model.apply(
            {**variables[0], "params": params},
            features,
            (32, 32),
            method="localise",
            mutable=["batch_stats"],
        )
        return jnp.square(maps).mean(), updates

    kept, computed_again = (
        jax.jit(jax.value_and_grad(partial(loss, model=model), has_aux=True))(
            variables[0]["params"]
        )
        for model in models
    )
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-7), kept, computed_again)
    jaxpr = str(jax.make_jaxpr(jax.grad(lambda p: loss(p, models[1])[0]))(params))
    assert jaxpr.count("checkpoint") + jaxpr.count("remat") >= 5  # each block


@pytest.mark.slow
def test_prepared_variables_change_nothing_but_are_read():
    model = TCAM(num_classes=3, backbone=ENCODERS["resnet10"])
    frames = jax.random.normal(jax.random.key(1), (8, 80, 80, 3))
    variables = init_variables(model, jax.random.key(0), 80)
    prepared = for_inference(model, variables)
    apply = jax.jit(lambda variables: model.apply(variables, frames)[1])
    np.testing.assert_array_equal(apply(prepared), apply(variables))
    halved = jax.tree.map(lambda x: x / 2, {"kernel_terms": prepared["kernel_terms"]})
    assert np.abs(apply({**prepared, **halved}) - apply(variables)).max() > 1e-3
    assert len(jax.tree.leaves(prepared["kernel_terms"]["encoder"])) == 8 * 16  # kernels, terms
    bfloat16 = TCAM(num_classes=3, backbone=ENCODERS["resnet10"], dtype=jnp.bfloat16)
    assert for_inference(bfloat16, variables) is variables
