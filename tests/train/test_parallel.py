"""One step, spread over devices in three ways, in one piece or two: the same numbers.

The whole table of modes and devices: `python -m tests.train.device_matrix`.
"""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tcam_jax.runtime.parallel import Parallel
from tests.train.device_matrix import every_loss_on, make_batch, train


@pytest.fixture
def config(config, small_encoder):
    config.model.encoder = small_encoder
    config.model.encoder_options, config.model.decoder_width = {"width": 16}, 0.25
    return config


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "mode", "accumulation"), [("classifier", "pmap", 2), ("tcam", "shard_map", 1)]
)
def test_same_parameters_after_three_steps_in_float64(config, stage, mode, accumulation):
    """Stage 1 in two microbatches: the statistics go from one to the next. Stage 2's: below."""
    every_loss_on(config)
    options = {"dtype": jnp.float64, "steps": 3, "accumulation": accumulation}
    with jax.enable_x64(True):
        oracle, (one, *_), _ = train(config, stage, "jit", 1, **options)
        state, (eight, *_), traced = train(config, stage, mode, 8, **options)
        assert traced == 1, "compiled more than once"
        _assert_the_same_on_every_device(state, 8)
        _assert_close(state, jax.device_get(oracle))
    assert one["loss"][0] != 0 and one["gradient_norm"][0] != 0
    assert one.keys() == eight.keys()
    for name in one:
        np.testing.assert_allclose(eight[name], one[name], rtol=1e-9, err_msg=name)
    if stage == "tcam":
        # The masks are uneven: seeds cut by the border or struck out by the other class leave some
        # devices fewer than the 2 x 9 pixels of each sample. One without any: test_objective.
        assert 0 < one["loss_partial_ce"][1] < 16 * 18


@pytest.mark.slow
def test_microbatches_add_up_to_the_batch_where_batch_norm_is_frozen(config):
    """In stage 2, whose losses are means over masks of other sizes in each microbatch.

    Every frame of a window is labelled, but those outside the shot.
    """
    stage = "tcam"
    every_loss_on(config)
    config.tcam.window.labelled, config.tcam.window.cam_tmp = "all", False
    config.tcam.losses.joint_color_crf.weight = 0.0  # adaptive: a microbatch's own weight
    with jax.enable_x64(True):
        options = {"dtype": jnp.float64, "steps": 2, "frozen_norm": True}
        one, (first, _), _ = train(config, stage, "jit", 1, **options)
        two, (split, _), _ = train(config, stage, "shard_map", 2, **options, accumulation=2)
        _assert_close(two, jax.device_get(one))
        for name in first:
            np.testing.assert_allclose(split[name], first[name], rtol=1e-9, err_msg=name)
        valid = make_batch(0, 2, config.dataset.resize)["valid"].sum()
        assert 16 < valid < 32 and first["loss_size"][1] == first["loss_crf"][1] == valid


@pytest.mark.slow
def test_a_step_that_teaches_itself_is_the_same_on_four_devices(config):
    """Of two steps, the second one's seeds come from the network's own maps of every frame."""
    every_loss_on(config)
    config.tcam.losses.joint_color_crf.weight = 0.0  # adaptive: a microbatch's own weight
    config.tcam.window.labelled = "all"
    config.tcam.epochs, config.tcam.seeds.self_training_start = 1, 0.5
    config.tcam.optimizer.ema = 0.5
    options = {"dtype": jnp.float64, "steps": 2, "frozen_norm": True}
    with jax.enable_x64(True):
        one, (_, own), _ = train(config, "tcam", "jit", 1, **options)
        one = jax.device_get(one)
        state, (_, split), traced = train(config, "tcam", "shard_map", 4, **options, accumulation=2)
        assert traced == 1
        _assert_close(state, one)
        np.testing.assert_allclose(split["loss"][0], own["loss"][0], rtol=1e-9)
        config.tcam.seeds.self_training_start = 1.0
        _, (_, from_cams), _ = train(config, "tcam", "jit", 1, **options)
    assert own["loss_partial_ce"][1] > 0 and own["loss"][0] != from_cams["loss"][0]


def test_a_microbatch_has_consecutive_slots_whatever_the_devices():
    for mode in ("pmap", "shard_map", "jit"):
        for devices in (1, 2, 4):
            parallel = Parallel(mode, jax.devices()[:devices], accumulation=2)
            slots = parallel.slots(16)
            np.testing.assert_array_equal(slots, np.arange(16))  # of the only process
            batch = parallel.shard({"slot": slots})["slot"]
            by_microbatch = np.swapaxes(batch, 0, 1) if mode == "pmap" else np.asarray(batch)
            np.testing.assert_array_equal(by_microbatch.reshape(2, 8)[1], np.arange(8, 16))


def test_the_mode_of_one_process_and_of_several(monkeypatch):
    assert Parallel("auto").mode == "pmap"
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    assert Parallel("auto").mode == "shard_map"
    assert Parallel("pmap").mode == "pmap"  # as it was asked for


def test_evaluation_needs_no_communication_where_it_loops_over_samples():
    parallel = Parallel("pmap", jax.devices()[:4])
    weights = parallel.replicate_locally(np.float32(2))
    x = parallel.shard_flat({"x": np.arange(24, dtype=np.float32).reshape(8, 3)})["x"]

    def forward(weights, x):
        return x.sum(-1), jax.lax.map(lambda row: weights * row, x).T

    def compiled(function):
        return jax.jit(function).lower(weights, x).compile()

    assert "all-gather" in compiled(forward).as_text()  # as the compiler has it
    apart = compiled(parallel.per_device(forward, (0, 1)))
    assert not re.search("all-|collective-", apart.as_text())
    jax.tree.map(np.testing.assert_array_equal, apart(weights, x), forward(weights, x))


def test_evaluation_batches_are_padded_to_the_devices():
    parallel = Parallel("pmap", jax.devices()[:4])
    assert parallel.evaluation_rows(6) == (8, slice(0, 8))
    assert parallel.evaluation_rows(8) == (8, slice(0, 8))


def test_batches_go_ahead_of_the_step_in_order():
    parallel = Parallel("jit", jax.devices()[:2])
    taken = []

    def batches():
        for i in range(5):
            taken.append(i)
            yield {"x": np.full(4, i)}

    ahead = parallel.ahead(batches())
    seen = [int(next(ahead)["x"][0, 0])]
    assert taken == [0, 1, 2]  # two are on their way
    seen += [int(batch["x"][0, 0]) for batch in ahead]
    assert seen == [0, 1, 2, 3, 4]


def _assert_the_same_on_every_device(state, devices):
    for leaf in jax.tree.leaves(state):
        shards = [np.asarray(shard.data) for shard in leaf.addressable_shards]
        assert len(shards) == devices
        assert all(shard.tobytes() == shards[0].tobytes() for shard in shards)


def _assert_close(state, oracle):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9),
        jax.device_get(state),
        oracle,
    )
