"""The order of operations, on a stage that is quick: what is saved, kept, resumed, rolled back."""

import json
import shutil
import signal
import threading
import time
from concurrent.futures import Future
from functools import cache, partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from ml_collections import ConfigDict

from tcam_jax.runtime import beside
from tcam_jax.runtime.errors import Diverged, InputError
from tcam_jax.runtime.interruption import Interrupted, Interruption
from tcam_jax.runtime.parallel import AXIS, Parallel
from tcam_jax.runtime.recurring import Every
from tcam_jax.train import loop
from tcam_jax.train.checkpoint import Checkpoints
from tcam_jax.train.guard import REPORT
from tcam_jax.train.logs import read_metrics
from tcam_jax.train.stage import Stage, Validation, is_finished, last_step, reopen
from tcam_jax.train.state import create_state
from tcam_jax.train.update import update

# Scores after steps 0, 4, 8, 12 …: the best comes first among equals.
SCORES = {0: 10.0, 4: 30.0, 8: 30.0, 12: 20.0, 16: 30.0, 20: 40.0}
OPTIMIZER = optax.sgd(1.0, momentum=0.9)
SAVING = {"every": "3 steps", "keep_last": 2, "keep_every_steps": 0, "skips_before_rollback": 3}


def _step(state, frozen, batch, axis_name=None):
    x = batch["x"]
    mean, total = x.mean(), x.sum()
    if axis_name is not None:
        mean, total = jax.lax.pmean(mean, axis_name), jax.lax.psum(total, axis_name)
    grads = {
        "w": (mean + state.params["w"]) / (1 if axis_name is None else jax.lax.axis_size(axis_name))
    }
    batch_stats = {"seen": state.batch_stats["seen"] + mean}
    return update(
        state,
        grads,
        batch_stats,
        total,
        optimizer=OPTIMIZER,
        schedule=lambda step: 0.1 / (1 + step),
        ema=0.0,
        axis_name=axis_name,
    )


# The same objects in every run, so that each is compiled once.
STEPS = {axis_name: partial(_step, axis_name=axis_name) for axis_name in (None, AXIS)}


def _stage(directory: Path, before=None, bad=(), axis_name=None, num_steps=12, endless=()):
    """Some steps on batches of noise, NaN where `bad`; `before(number)` is called first.

    Validations of steps in `endless` end when they are given up.
    """

    def batches(first, end):
        for number in range(first, end):
            if before is not None:
                before(number)
            x = np.random.default_rng(number).random(8).astype(np.float32)
            yield {"x": x * np.nan if number in bad else x}

    def validate(variables, step, check):
        if before is not None:
            before(f"validation {step}")
        check()
        while step in endless:
            time.sleep(0.001)
            check()
        w = float(variables["params"]["w"])
        picture = np.full((4, 6, 3), step, np.uint8)
        return lambda: Validation({"validation_x": w}, {"best": SCORES[step]}, picture)

    variables = {"params": {"w": jnp.ones(())}, "batch_stats": {"seen": jnp.zeros(())}}
    return Stage(
        directory=directory,
        step=STEPS[axis_name],
        state=create_state(variables, OPTIMIZER),
        frozen=None,
        batches=batches,
        frames_of=lambda number: [f"frame{number}"],
        validate=validate,
        batch_size=8,
        steps_per_epoch=4,
        num_steps=num_steps,
        validate_every=Every(4, "steps"),
    )


def _run(directory, parallel=None, stop=None, saving=None, **stage):
    parallel = parallel or Parallel("jit", jax.devices()[:1])
    built = _stage(directory, axis_name=parallel.axis_name, **stage)
    config = ConfigDict(SAVING | (saving or {}))
    loop.run(built, parallel, config, stop or Interruption())


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """Return a function that gives the directory of a run that nothing stopped; made once."""

    @cache
    def of(mode: str = "jit", devices: int = 1, bad: tuple[int, ...] = ()) -> Path:
        directory = tmp_path_factory.mktemp("straight")
        _run(directory, Parallel(mode, jax.devices()[:devices]), bad=bad)
        return directory

    return of


def _final(directory: Path):
    checkpoints = Checkpoints(directory / "checkpoints")
    newest = checkpoints.newest()
    return checkpoints.restore(newest, _stage(directory).state), checkpoints.record(newest)


def _assert_same_run(one: Path, other: Path):
    (state, record), (other_state, other_record) = _final(one), _final(other)
    jax.tree.map(np.testing.assert_array_equal, state, other_state)
    assert record == other_record
    assert read_metrics(one / "metrics.jsonl") == read_metrics(other / "metrics.jsonl")


def _killed_at(moment):
    def before(now):
        if now == moment:
            raise KeyboardInterrupt

    return before


@pytest.mark.parametrize(
    ("mode", "devices", "moment"),
    [
        *(("jit", 1, moment) for moment in (1, 5, 7, 11, "validation 0", "validation 8")),
        ("pmap", 2, 7),
        ("pmap", 2, "validation 8"),
    ],
)
def test_a_killed_run_resumed_equals_the_uninterrupted_one(
    straight, tmp_path, moment, mode, devices
):
    parallel = Parallel(mode, jax.devices()[:devices])
    with pytest.raises(KeyboardInterrupt):
        _run(tmp_path / "stopped", parallel, before=_killed_at(moment))
    assert not is_finished(tmp_path / "stopped")
    _run(tmp_path / "stopped", parallel)
    assert is_finished(tmp_path / "stopped")
    _assert_same_run(straight(mode, devices), tmp_path / "stopped")
    metrics = read_metrics(tmp_path / "stopped" / "metrics.jsonl")
    assert [x["step"] for x in metrics if "validation_x" in x] == [0, 4, 8, 12]
    assert _final(tmp_path / "stopped")[1].roles == {"best": {"step": 4, "value": 30.0}}


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        *((signal.SIGTERM, moment) for moment in (0, 4, 7, 10)),
        *((signal.SIGTERM, f"validation {step}") for step in (0, 4, 12)),
        (signal.SIGINT, 7),
    ],
)
def test_a_signalled_run_saves_at_once_and_goes_on_with_the_same_bits(
    straight, tmp_path, moment, number
):
    step = int(str(moment).split()[-1])
    with Interruption() as stop, pytest.raises(Interrupted):
        before = lambda now: now == moment and signal.raise_signal(number)  # noqa: E731
        endless = () if isinstance(moment, int) else (step,)
        _run(tmp_path / "stopped", stop=stop, before=before, endless=endless)
    state, record = _final(tmp_path / "stopped")
    if record.validated:  # seen after the step that was under way, with batches read ahead
        assert max(step - 2, 1) <= state.step <= step + 1
    else:
        assert state.step in (0, 4, 8, 12) and step - 5 < state.step <= step
    _run(tmp_path / "stopped")
    _assert_same_run(straight(), tmp_path / "stopped")


def test_validation_and_saves_beside_the_steps_leave_the_bits_as_they_are(
    straight, tmp_path, monkeypatch
):
    """A validation ends only when later steps are under way; then one that training waits for."""
    later, gone_on = {0: 3, 4: 7, 8: 10}, {}

    def before(now):
        if isinstance(now, int):
            gone_on.setdefault(now, threading.Event()).set()
        elif (step := int(now.split()[-1])) in later:
            assert gone_on.setdefault(later[step], threading.Event()).wait(20), "training waits"

    _run(tmp_path / "beside", before=before)
    _assert_same_run(straight(), tmp_path / "beside")

    class AtOnce:
        def __init__(self, threads):
            pass

        def submit(self, work):
            done = Future()
            done.set_result(work())
            return done

        def shutdown(self):
            pass

    monkeypatch.setattr(beside, "ThreadPoolExecutor", AtOnce)
    _run(tmp_path / "waiting")
    _assert_same_run(straight(), tmp_path / "waiting")
    for name in ("metrics.jsonl", "checkpoints/12/record.json"):
        content = [(tmp_path / run / name).read_bytes() for run in ("beside", "waiting")]
        assert content[0] == content[1]


def test_what_a_thread_raises_ends_the_training(tmp_path, monkeypatch):
    def refuse(self, step, state, record):
        raise InputError(f"no room for {step}")

    with monkeypatch.context() as patch, pytest.raises(InputError, match="no room for 0"):
        patch.setattr(Checkpoints, "save", refuse)
        _run(tmp_path / "saves")

    def damaged(variables, step, check):
        raise InputError("a damaged record")

    with pytest.raises(InputError, match="a damaged record"):
        loop.run(
            _stage(tmp_path / "validates")._replace(validate=damaged),
            Parallel("jit", jax.devices()[:1]),
            ConfigDict(SAVING),
            Interruption(),
        )


def test_resumed_on_another_number_of_devices(straight, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        _run(tmp_path / "moved", Parallel("pmap", jax.devices()[:4]), before=_killed_at(7))
    _run(tmp_path / "moved", Parallel("shard_map", jax.devices()[:2]))
    one, moved = _final(straight("pmap", 1))[0], _final(tmp_path / "moved")[0]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), one, moved)


def test_the_best_and_the_newest_checkpoints_are_kept(straight, tmp_path):
    def kept(directory):
        return sorted(int(p.name) for p in (directory / "checkpoints").iterdir() if p.is_dir())

    assert kept(straight()) == [4, 9, 12]
    _run(tmp_path / "one", saving={"keep_last": 1})
    assert kept(tmp_path / "one") == [4, 12]
    _run(tmp_path / "every", saving={"keep_last": 1, "keep_every_steps": 5})
    assert kept(tmp_path / "every") == [0, 4, 5, 10, 12]


def test_best_variables_are_those_of_the_best_step(straight):
    checkpoints = Checkpoints(straight() / "checkpoints")
    assert last_step(straight()) == 12
    assert checkpoints.role_step("best", 12) == 4
    best = checkpoints.restore_variables(4)
    stage = _stage(straight())
    state = stage.state
    for batch in list(stage.batches(0, 4)):
        state, _ = jax.jit(_step)(state, None, batch)
    np.testing.assert_array_equal(best["params"]["w"], state.params["w"])
    with pytest.raises(InputError, match="must hold a checkpoint 'worst'; it has"):
        checkpoints.role_step("worst", 12)


def test_a_step_that_is_not_finite_changes_nothing_but_the_counters():
    stage = _stage(Path("unused"), bad=[1])
    first, second = list(stage.batches(0, 2))
    step = jax.jit(_step)
    before, _ = step(stage.state, None, first)
    after, metrics = step(before, None, second)
    assert (after.step, after.skipped, after.skipped_in_a_row) == (2, 1, 1)
    for name in ("params", "batch_stats", "opt_state", "data_offset"):
        jax.tree.map(np.testing.assert_array_equal, getattr(before, name), getattr(after, name))
    assert metrics["skipped_in_a_row"][0] == 1
    again, _ = step(after, None, first)
    assert (again.skipped, again.skipped_in_a_row) == (1, 0)
    # The learning rate is that of the third step, not of the second that was taken.
    assert step(after, None, first)[1]["learning_rate"][0] == np.float32(0.1 / 3)


def test_single_bad_batches_are_passed_over_and_counted(tmp_path):
    _run(tmp_path, bad=[2, 6, 7])
    state, _ = _final(tmp_path)
    assert (state.step, state.skipped, state.data_offset) == (12, 3, 0)
    assert np.isfinite(state.params["w"]) and np.isfinite(state.batch_stats["seen"])
    lines = read_metrics(tmp_path / "metrics.jsonl")
    assert sum(line.get("skipped", 0) for line in lines) == 3
    assert all(np.isfinite(line["loss"]) for line in lines if "loss" in line)


# Batches 4, 5, 6 are bad: back to the checkpoint of step 4, and on with batch 7 (offset 3).
BAD = (4, 5, 6)


def test_several_in_a_row_lead_back_once_and_past_the_bad_batches(straight):
    directory = straight(bad=BAD)
    state, _ = _final(directory)
    assert (state.step, state.skipped, state.data_offset) == (12, 0, 3)
    stage = _stage(directory)
    expected = stage.state
    for number in (0, 1, 2, 3, *range(7, 15)):
        (batch,) = stage.batches(number, number + 1)
        expected, _ = jax.jit(_step)(expected, None, batch)
    np.testing.assert_array_equal(state.params["w"], expected.params["w"])
    lines = read_metrics(directory / "metrics.jsonl")
    assert [line["step"] for line in lines] == sorted(line["step"] for line in lines)


@pytest.mark.parametrize("moment", [5, 6, 7, 8, 9])
@pytest.mark.parametrize("how", ["signal", "kill"])
@pytest.mark.parametrize("bad", [BAD, (5, 6, 7)])
def test_a_rollback_does_not_depend_on_when_a_run_was_stopped(straight, tmp_path, bad, moment, how):
    seen = set()

    def before(now):
        if now == moment and now not in seen:
            seen.add(now)
            if how == "kill":
                raise KeyboardInterrupt
            signal.raise_signal(signal.SIGTERM)

    with Interruption() as stop, pytest.raises((Interrupted, KeyboardInterrupt)):
        _run(tmp_path / "stopped", stop=stop, before=before, bad=bad)
    _run(tmp_path / "stopped", bad=bad)
    _assert_same_run(straight(bad=bad), tmp_path / "stopped")


def test_stopped_after_bad_steps_that_nobody_had_looked_at(tmp_path):
    """Steps 2 to 4 are skipped, step 5 is taken and saved by a signal, step 6 looks: back to 0."""
    saving = {"every": "6 steps"}
    bad, at_the_end = (1, 2, 3), {"steps_per_epoch": 12, "validate_every": Every(12, "steps")}
    stages = {
        name: _stage(tmp_path / name, bad=bad)._replace(**at_the_end)
        for name in ("straight", "stopped")
    }
    config, parallel = ConfigDict(SAVING | saving), Parallel("jit", jax.devices()[:1])
    loop.run(stages["straight"], parallel, config, Interruption())
    signalled, validated = [], threading.Event()

    def validate(*arguments):
        conclude = stages["stopped"].validate(*arguments)
        validated.set()
        return conclude

    def batches(first, end):
        for number, batch in enumerate(stages["stopped"].batches(first, end), start=first):
            if number == 5:  # else the run would go on from step 0, which is not validated
                assert validated.wait(60)
                time.sleep(0.05)
            if number == 6 and not signalled:  # read two ahead, before step 5
                signalled.append(signal.raise_signal(signal.SIGTERM))
            yield batch

    with Interruption() as stop, pytest.raises(Interrupted):
        stage = stages["stopped"]._replace(batches=batches, validate=validate)
        loop.run(stage, parallel, config, stop)
    assert Checkpoints(tmp_path / "stopped" / "checkpoints").newest() == 5
    again = _stage(tmp_path / "stopped", bad=bad)._replace(**at_the_end)
    loop.run(again, parallel, config, Interruption())
    _assert_same_run(tmp_path / "straight", tmp_path / "stopped")
    assert _final(tmp_path / "stopped")[0].data_offset == 4


def test_the_best_is_kept_through_a_rollback(tmp_path):
    """Step 4 is the best, then a bad step is saved as better, then training goes back to 6."""
    scores = {0: 10.0, 4: 30.0, 8: 40.0, 12: 20.0}
    stage = _stage(tmp_path, bad=(6, 7, 8))
    validated = []

    def validate(variables, step, check):
        validated.append(step)
        score = scores[step] if validated.count(8) < 2 else 0.0
        return lambda: Validation({}, {"best": score}, picture=None)

    config = ConfigDict(SAVING | {"keep_last": 1})
    loop.run(
        stage._replace(validate=validate),
        Parallel("jit", jax.devices()[:1]),
        config,
        Interruption(),
    )
    assert validated == [0, 4, 8, 8, 12]
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    assert checkpoints.role_step("best", 12) == 4
    checkpoints.restore_variables(4)


def test_a_finished_stage_made_longer_equals_one_that_was_longer_from_the_start(tmp_path):
    _run(tmp_path / "longer")
    reopen(tmp_path / "longer")
    assert not is_finished(tmp_path / "longer")
    _run(tmp_path / "longer", num_steps=20)
    _run(tmp_path / "long", num_steps=20)
    _assert_same_run(tmp_path / "long", tmp_path / "longer")
    assert last_step(tmp_path / "longer") == 20


def test_validated_when_asked_and_at_the_end(tmp_path):
    stage = _stage(tmp_path)._replace(
        validate_every=Every(5, "steps"),
        validate=lambda variables, step, check: lambda: Validation({"x": float(step)}, {}, None),
    )
    config, parallel = ConfigDict(SAVING), Parallel("jit", jax.devices()[:1])
    loop.run(stage, parallel, config, Interruption())
    lines = read_metrics(tmp_path / "metrics.jsonl")
    assert [line["step"] for line in lines if "x" in line] == [0, 5, 10, 12]


@pytest.mark.slow
def test_killed_before_any_rename(straight, tmp_path, monkeypatch):
    """Each file and folder gets its name by a rename, or loses it: a kill before each of them.

    What a kill leaves is copied, from one run, at the moment at which it would have come.
    """
    running = tmp_path / "running"
    left: list[Path] = []

    def copying(original):
        def renamed(self, target):
            left.append(tmp_path / f"killed{len(left)}")
            shutil.copytree(running, left[-1])
            return original(self, target)

        return renamed

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", copying(Path.rename))
        patch.setattr(Path, "replace", copying(Path.replace))
        _run(running)
    assert len(left) > 15
    for killed in left:
        _run(killed)
        _assert_same_run(straight(), killed)
        assert not [p for p in killed.rglob("*") if "damaged" in p.name]


def test_the_second_time_it_stops_and_names_the_term_and_the_frames(tmp_path):
    with pytest.raises(Diverged, match="diverged a second time by step 9: .*loss.* not finite"):
        _run(tmp_path, bad=(*BAD, 9, 10, 11))
    report = json.loads((tmp_path / REPORT).read_text())
    assert [skip["frames"] for skip in report["skipped"]] == [["frame9"], ["frame10"], ["frame11"]]
    assert all("loss" in skip["terms"] for skip in report["skipped"])
    assert report["last_sound_checkpoint"] == 6
    assert np.isfinite(_final(tmp_path)[0].params["w"])


def test_nothing_crosses_between_host_and_device_in_a_step(tmp_path, monkeypatch):
    """Twenty steps of the loop: the host reads numbers only where it logs, and where it saves."""
    reads = []
    value = jax._src.array.ArrayImpl._value

    def counted(self):
        if threading.current_thread() is threading.main_thread():  # others may read beside it
            reads.append(None)
        return value.fget(self)

    class Counting:
        """Counts what is read between one batch and the next."""

        def __init__(self):
            self.by_batch = []

        def __call__(self, now):
            if isinstance(now, int):
                self.by_batch.append(len(reads))

    counting = Counting()
    parallel = Parallel("pmap", jax.devices()[:2])
    stage = _stage(tmp_path, before=counting, axis_name=parallel.axis_name)
    stage = stage._replace(num_steps=20, steps_per_epoch=20, validate_every=Every(1, "epochs"))
    stage = stage._replace(
        validate=lambda variables, step, check: lambda: Validation({}, {"best": 1.0}, None)
    )
    monkeypatch.setattr(jax._src.array.ArrayImpl, "_value", property(counted))
    config = ConfigDict(SAVING | {"every": "100 steps"})
    loop.run(stage, parallel, config, Interruption())
    increments = np.diff(counting.by_batch)
    # Two batches go ahead: number 12 is asked for after step 10, where metrics are read.
    assert np.flatnonzero(increments).tolist() == [11]
    assert reads


def test_a_line_cut_off_by_a_kill_is_left_out(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "lo')
    assert read_metrics(path) == [{"step": 1, "loss": 2.0}]
