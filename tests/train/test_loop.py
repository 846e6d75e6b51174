from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tcam_jax.errors import InputError
from tcam_jax.train import loop
from tcam_jax.train.checkpoint import Checkpoints
from tcam_jax.train.logs import read_metrics
from tcam_jax.train.parallel import Parallel
from tcam_jax.train.state import TrainState, create_state

OPTIMIZER = optax.trace(0.9)
# Scores after steps 0, 4, 8, 12: the best comes first among equals.
SCORES = {0: 10.0, 4: 30.0, 8: 30.0, 12: 20.0}


def _step(state: TrainState, frozen, batch, axis_name=None):
    mean, total = batch["x"].mean(), batch["x"].sum()
    if axis_name is not None:
        mean, total = jax.lax.pmean(mean, axis_name), jax.lax.psum(total, axis_name)
    grads = {"w": mean + state.params["w"]}
    updates, opt_state = OPTIMIZER.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, jax.tree.map(lambda u: -0.1 * u, updates))
    new = TrainState(state.step + 1, params, state.batch_stats, opt_state)
    return new, {"loss": (total, jnp.float32(8))}


def _stage(directory: Path, stop_at=None, broken_at=None, axis_name=None):
    def batches(first):
        for step in range(first, 12):
            if step == stop_at:
                raise KeyboardInterrupt
            x = np.random.default_rng(step).random(8).astype(np.float32)
            yield {"x": x * np.nan if step == broken_at else x}

    return loop.Stage(
        directory=directory,
        step=partial(_step, axis_name=axis_name),
        state=create_state({"params": {"w": jnp.ones(())}, "batch_stats": {}}, OPTIMIZER),
        frozen=None,
        batches=batches,
        validate=lambda variables, step: ({"validation_x": 1.0}, {"best": SCORES[step]}),
        steps_per_epoch=4,
        num_steps=12,
    )


def _final(directory: Path) -> np.ndarray:
    checkpoints = Checkpoints(directory / "checkpoints")
    like = Parallel("jit", jax.devices()[:1]).place(_stage(directory).state)
    state, roles = checkpoints.restore(checkpoints.latest_step, like)
    checkpoints.close()
    return jax.device_get(state), roles


@pytest.mark.parametrize("stop_at", [1, 5, 7, 11])
@pytest.mark.parametrize(("mode", "devices"), [("jit", 1), ("pmap", 2)])
def test_resumed_run_equals_the_uninterrupted_one(tmp_path, stop_at, mode, devices):
    parallel = Parallel(mode, jax.devices()[:devices])
    axis = {"axis_name": parallel.axis_name}
    loop.run(_stage(tmp_path / "straight", **axis), parallel, save_every=3)
    with pytest.raises(KeyboardInterrupt):
        loop.run(_stage(tmp_path / "stopped", stop_at, **axis), parallel, save_every=3)
    assert not loop.is_finished(tmp_path / "stopped")
    loop.run(_stage(tmp_path / "stopped", **axis), parallel, save_every=3)
    assert loop.is_finished(tmp_path / "stopped")

    straight, roles = _final(tmp_path / "straight")
    stopped, stopped_roles = _final(tmp_path / "stopped")
    jax.tree.map(np.testing.assert_array_equal, straight, stopped)
    assert roles == stopped_roles == {"best": {"step": 4, "value": 30.0}}
    metrics = [read_metrics(tmp_path / run / "metrics.jsonl") for run in ("straight", "stopped")]
    assert metrics[0] == metrics[1]
    assert [x["step"] for x in metrics[0] if "validation_x" in x] == [0, 4, 8, 12]


def test_only_the_best_and_the_newest_checkpoint_are_kept(tmp_path):
    loop.run(_stage(tmp_path), Parallel("jit", jax.devices()[:1]), save_every=3)
    kept = {p.name for p in (tmp_path / "checkpoints").iterdir() if p.is_dir()}
    assert kept == {"4", "12"}


def test_best_variables_are_those_of_the_best_step(tmp_path):
    loop.run(_stage(tmp_path), Parallel("jit", jax.devices()[:1]), save_every=3)
    stage = _stage(tmp_path)  # the run has used up the buffers of its own
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    like = Parallel("jit", jax.devices()[:1]).place(stage.state.variables)
    best = checkpoints.restore_variables("best", like)
    state = stage.state
    for batch in list(stage.batches(0))[:4]:
        state, _ = jax.jit(_step)(state, None, batch)
    np.testing.assert_array_equal(best["params"]["w"], state.params["w"])
    with pytest.raises(InputError, match="must hold a checkpoint 'worst'; it has"):
        checkpoints.restore_variables("worst", like)


def test_a_loss_that_is_not_finite_stops_the_run_and_is_named(tmp_path):
    with pytest.raises(RuntimeError, match="diverged by step 6: loss not finite"):
        loop.run(_stage(tmp_path, broken_at=5), Parallel("jit", jax.devices()[:1]), save_every=3)
    # What was saved before is sound: the run can be continued with another setting.
    assert np.isfinite(_final(tmp_path)[0].params["w"])


def test_a_line_cut_off_by_a_kill_is_left_out(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "lo')
    assert read_metrics(path) == [{"step": 1, "loss": 2.0}]
