"""Three steps of both stages with encoders of other families; interrupted, they end the same.

EfficientNet-Lite is trained in tests/launch/test_real_videos.py, a ResNet by most others.
InceptionV3, which takes as long to compile as all of them, is only traced; its forward pass in
training is compared with PyTorch's in tests/models/encoders.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tcam_jax.benchmark.training import NUM_CLASSES, training
from tcam_jax.models.tcam import init_variables, variable_shapes
from tcam_jax.runtime.parallel import Parallel
from tcam_jax.train.checkpoint import Checkpoints, Record
from tcam_jax.train.stages import make_model
from tests.train.device_matrix import STAGES, make_batch

FRAMES = {"classifier": 1, "tcam": 2}  # of a window


@pytest.fixture
def config(config):
    config.model.decoder_width = 0.5
    for section in (config.classifier, config.tcam):
        section.optimizer.learning_rate, section.optimizer.ema = 1e-3, 0.9
        section.batch_size = 4
    return config


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_step_of_inception_keeps_the_states_shapes(config, stage):
    config.model.encoder = "inception_v3"
    variables = variable_shapes(make_model(config, NUM_CLASSES), config.dataset.crop)
    made = training(config, stage, axis_name=None)
    batch = {name: x[None, :4] for name, x in make_batch(0, FRAMES[stage]).items()}
    state = jax.eval_shape(made.state, variables)
    after, _ = jax.eval_shape(made.step, state, made.frozen(variables), batch)
    assert jax.tree.map(jnp.shape, after) == jax.tree.map(jnp.shape, state)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("encoder", "options"), [("vgg16", {}), ("vit_small_patch16", {"depth": 3})]
)
def test_three_steps_of_both_stages_and_again_from_a_checkpoint(config, encoder, options, tmp_path):
    config.model.encoder, config.model.encoder_options = encoder, options
    parallel = Parallel("jit", jax.devices()[:1])
    model = make_model(config, NUM_CLASSES)
    variables = init_variables(model, jax.random.key(0), config.dataset.crop)
    for stage in STAGES:
        made = training(config, stage, parallel.axis_name)
        step = parallel.compile(made.step)
        frozen = parallel.replicate(made.frozen(variables))
        first = jax.device_get(made.state(variables))
        checkpoints = Checkpoints(tmp_path / stage)

        def go_on(state, start, step=step, frozen=frozen, t=FRAMES[stage], checkpoints=checkpoints):
            state, losses = parallel.replicate(state), []
            for i in range(start, 3):
                batch = {name: x[:4] for name, x in make_batch(i, t).items()}
                state, metrics = step(state, frozen, parallel.shard(batch))
                losses.append(float(metrics["loss"][0] / metrics["loss"][1]))
                if start == 0 and i == 0:
                    checkpoints.save(1, jax.device_get(state), Record({}))
            return jax.device_get(state), losses

        end, losses = go_on(first, 0)
        assert np.isfinite(losses).all()
        moved = jax.tree.map(lambda a, b: not np.array_equal(a, b), first.params, end.params)
        assert np.mean(jax.tree.leaves(moved)) > 0.9
        again, _ = go_on(checkpoints.restore(1, first), 1)
        jax.tree.map(np.testing.assert_array_equal, again, end)
