"""TCAM's maps of one network: each is what its name says of the same logits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tcam_jax.evaluate.crf_refinement import refine
from tcam_jax.evaluate.logit_map import to_scale
from tcam_jax.evaluate.maps import (
    METHOD_OF_MAP,
    OF_ALL_CLASSES,
    OF_DECODER,
    TCAM_MOTION,
    make_forward,
)
from tcam_jax.evaluate.motion_evidence import with_motion_evidence
from tcam_jax.evaluate.walk import inputs_of
from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.tcam import TCAM, init_variables
from tcam_jax.runtime.parallel import Parallel

SIZE = 32
METHODS = (*OF_DECODER, "layercam")


@pytest.fixture(scope="module")
def seen():
    """Frames, and {method: maps} of two classes, as shares of 255."""
    model = TCAM(num_classes=3, backbone=ENCODERS["resnet10"], decoder_width=0.5)
    variables = init_variables(model, jax.random.key(0), SIZE)
    frames = np.random.default_rng(0).integers(0, 256, (1, SIZE, SIZE, 3), np.uint8)
    motion = np.random.default_rng(1).uniform(size=(1, SIZE // 4, SIZE // 4)).astype(np.float32)
    forward = make_forward(model, METHODS)
    maps = [forward(variables, frames, np.full(1, c, np.int32), motion).maps for c in (0, 1)]
    logits = model.apply(
        variables,
        model.apply(variables, model.normalise(frames), method="classify").features,
        (SIZE, SIZE),
        method="localise",
    )
    return (
        frames,
        motion,
        logits,
        [dict(zip(METHODS, np.asarray(m) / 255, strict=True)) for m in maps],
    )


def test_each_map_is_a_function_of_the_logits(seen):
    frames, motion, logits, (maps, _) = seen
    z = logits[..., 1] - logits[..., 0]
    probability = jax.nn.softmax(logits)[..., 1]
    refined = [
        jax.jit(refine)(one, frames[0].astype(jnp.float32))[None]
        for one in (z[0], with_motion_evidence(z[0], jnp.asarray(motion[0])))
    ]
    expected = {
        "logit": to_scale(z),
        "probability": probability,
        "crf": to_scale(refined[0]),
        "fused": probability * maps["layercam"],
        "motion": to_scale(refined[1]),
    }
    assert set(expected) == set(METHOD_OF_MAP)
    for name, values in expected.items():
        quantised = maps[METHOD_OF_MAP[name]]
        np.testing.assert_allclose(quantised, values, atol=1.5 / 255, err_msg=name)
        assert np.ptp(quantised) > 0.02


def test_the_fused_map_alone_depends_on_the_class(seen):
    *_, (one, other) = seen
    same = {method for method in METHODS if (one[method] == other[method]).all()}
    assert same == set(OF_ALL_CLASSES)


def test_motion_goes_with_its_frame_over_the_devices():
    model = TCAM(num_classes=3, backbone=ENCODERS["resnet10"], decoder_width=0.25)
    variables = init_variables(model, jax.random.key(0), SIZE)
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (4, SIZE, SIZE, 3), np.uint8)
    motion = rng.uniform(size=(4, SIZE // 4, SIZE // 4)).astype(np.float32)
    batch = {"frames": frames, "motion": motion}
    found = []
    for count in (1, 2):
        parallel = Parallel("jit", jax.devices()[:count])
        forward = make_forward(model, (TCAM_MOTION,), parallel=parallel)
        inputs = inputs_of(batch, np.zeros(4, np.int32), parallel.shard_flat)
        found.append(np.asarray(forward(parallel.replicate_locally(variables), *inputs).maps, int))
    assert np.abs(found[0] - found[1]).max() <= 1
    assert len(np.unique(found[0][0].reshape(4, -1), axis=0)) == 4
    with pytest.raises(ValueError, match="tcam_motion needs motion beside the frames"):
        make_forward(model, (TCAM_MOTION,))(variables, frames, np.zeros(4, np.int32))
