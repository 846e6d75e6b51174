"""Arguments of the wrong kind, in Python: one error that names the argument."""

import os
from pathlib import Path

import jaxtyping
import numpy as np
import pytest

import tcam_jax
from tcam_jax.config.defaults import get_config
from tcam_jax.evaluate.results import read_results
from tcam_jax.predict import exported
from tcam_jax.predict.decision import Decision
from tcam_jax.predict.predictor import Predictor
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.given import check_count, check_share, path_given

TAKE_A_FOLDER = {
    "load": tcam_jax.load,
    "exported.load": exported.load,
    "evaluate_run": tcam_jax.evaluate_run,
    "read_results": read_results,
    "train_and_evaluate": lambda folder: tcam_jax.train_and_evaluate(get_config(), folder),
}


@pytest.fixture(autouse=True)
def _as_users_call_it():
    """Without the check of types that the tests alone have."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def test_paths_of_every_kind(monkeypatch):
    monkeypatch.setenv("HOME", "/home/of/it")
    for given in ("~/run", Path("~/run"), Path("/home/of/it/run")):
        assert path_given(given, "workdir") == Path("/home/of/it/run")
    assert path_given("~nobody1234/run", "workdir") == Path("~nobody1234/run")


@pytest.mark.parametrize("take", TAKE_A_FOLDER.values(), ids=TAKE_A_FOLDER)
@pytest.mark.parametrize("given", [None, 3, b"run", ["run"]], ids=repr)
def test_what_is_no_path_is_named(take, given):
    told = rf"(source|folder|workdir) must be a path; got {type(given).__name__}"
    with pytest.raises(InputError, match=told):
        take(given)


@pytest.mark.parametrize(
    ("given", "why"),
    [("x" * 300, "File name too long"), ("a\0b", "embedded null"), ("loop/run", "Too many levels")],
    ids=["long", "null", "loop"],
)
@pytest.mark.parametrize("take", TAKE_A_FOLDER.values(), ids=TAKE_A_FOLDER)
def test_a_path_that_cannot_be_looked_at(monkeypatch, tmp_path, take, given, why):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(
        InputError, match=f"^(source|folder|workdir): .* cannot be looked at .{why}"
    ):
        take(given)


def test_results_of_a_folder_in_the_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(InputError, match=rf"^{tmp_path}{os.sep}run{os.sep}results.json is not"):
        read_results("~/run")


@pytest.mark.parametrize("given", [{}, None, "configs/demo.py"], ids=repr)
def test_what_is_no_config_is_named(tmp_path, given):
    kind = type(given).__name__
    with pytest.raises(InputError, match=f"^config must be a ConfigDict; it is of type {kind}"):
        tcam_jax.train_and_evaluate(given, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_config_that_was_not_begun_with_the_defaults(tmp_path):
    config = get_config()
    del config.tcam.window
    with pytest.raises(InputError, match="^config lacks tcam.window.align, .*: begin it with"):
        tcam_jax.train_and_evaluate(config, tmp_path)
    with pytest.raises(InputError, match="^config lacks tcam.window.align"):
        tcam_jax.load(tmp_path / "weights.msgpack", config, class_names=["a", "b"])


@pytest.mark.parametrize("given", ["0.5", 1, -0.1, float("nan"), None, [0.5, 0.6]], ids=repr)
def test_shares(given):
    with pytest.raises(InputError, match=r"^min_score must be in 0\.\.1, below 1; got "):
        Decision(("a", "b"), None, True, min_score=given)
    for fine in (0, 0.5, np.float32(0.5)):
        check_share(fine, "tau")


@pytest.mark.parametrize("given", ["4", 0, 1.5, float("nan"), float("inf"), None], ids=repr)
def test_numbers_of_frames(given):
    with pytest.raises(InputError, match="^batch_size must be 1 or more frames; got "):
        Predictor(lambda frames: frames, ("a", "b"), 32, None, True, batch_size=given)
    check_count(np.int64(4), "stride", 1)
