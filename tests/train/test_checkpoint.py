"""Damaged checkpoints are seen, set aside and passed over; what was good stays."""

import os
import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.log import log
from tcam_jax.train.checkpoint import Checkpoints, Record, read_variables
from tcam_jax.train.checkpoint_files import write_record
from tcam_jax.train.stage import FINISHED, last_step
from tcam_jax.train.state import create_state
from tests.small_disk import small_disk

ROLES = {"best": {"step": 3, "value": 1.0}}


def _state(step: int):
    w = jax.random.normal(jax.random.key(step), (64, 64))
    variables = {"params": {"w": w}, "batch_stats": {"mean": jnp.full(3, float(step))}}
    return create_state(variables, optax.trace(0.9)).replace(step=jnp.int32(step))


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    checkpoints = Checkpoints(tmp_path_factory.mktemp("saved") / "checkpoints")
    for step in (3, 6):
        checkpoints.save(step, _state(step), Record(ROLES))
    return checkpoints.directory


@pytest.fixture
def directory(saved, tmp_path) -> Path:
    """Checkpoints 3 and 6, to be damaged."""
    return shutil.copytree(saved, tmp_path / "checkpoints")


@pytest.fixture
def warnings(monkeypatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(log, "warning", lambda text, *args: found.append(text % args))
    return found


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [_truncate, _flip_a_bit, Path.unlink])
def test_each_file_damaged_in_turn_is_seen_and_passed_over(directory, warnings, damage):
    whole = directory.with_name("whole")
    shutil.copytree(directory, whole)
    names = [path.relative_to(whole / "6") for path in _files(whole / "6")]
    assert len(names) > 8
    for name in names:
        shutil.rmtree(directory)
        shutil.copytree(whole, directory)
        damage(directory / "6" / name)
        warnings.clear()
        checkpoints = Checkpoints(directory)
        assert checkpoints.newest() == 3, name
        assert len(warnings) == 1 and "6 is damaged" in warnings[0] and "6.damaged" in warnings[0]
        assert sorted(p.name for p in directory.iterdir()) == ["3", "6.damaged"]
        restored = checkpoints.restore(3, _state(0))
        jax.tree.map(np.testing.assert_array_equal, restored, jax.device_get(_state(3)))
        assert checkpoints.record(3) == Record(ROLES, pending=[])


def test_a_file_that_does_not_belong_there_is_seen(directory, warnings):
    (directory / "6" / "variables" / "extra").touch()
    assert Checkpoints(directory).newest() == 3
    assert "extra does not belong there" in warnings[0]


def test_every_damaged_one_is_kept_under_a_name_of_its_own(directory, warnings):
    for _ in range(2):
        _flip_a_bit(directory / "6" / "digests.json")
        checkpoints = Checkpoints(directory)
        assert checkpoints.newest() == 3
        checkpoints.save(6, _state(6), Record(ROLES))
    names = sorted(p.name for p in directory.iterdir())
    assert names == ["3", "6", "6.damaged", "6.damaged-2"]


def test_checkpoints_that_changed_names_are_seen_and_passed_over(directory, warnings):
    checkpoints = Checkpoints(directory)
    for step in (9, 10):
        checkpoints.save(step, _state(step), Record({"best": {"step": 9, "value": 1.0}}))
    for old, new in (("9", "x"), ("10", "9"), ("x", "10")):
        (directory / old).rename(directory / new)
    with pytest.raises(InputError, match="10 is needed, and damaged .*checkpoint of step 9 under"):
        Checkpoints(directory).role_step("best", last=10)
    with pytest.raises(InputError, match="9 is needed, and damaged .*checkpoint of step 10 under"):
        Checkpoints(directory).restore_variables(9)
    assert Checkpoints(directory).newest() is None  # 3 and 6 were dropped
    assert "10 is damaged: it is the checkpoint of step 9" in warnings[0] and len(warnings) == 2
    assert sorted(p.name for p in directory.iterdir()) == ["10.damaged", "9.damaged"]


def test_a_checkpoint_under_the_name_of_one_that_never_was(directory, warnings):
    (directory / "6").rename(directory / "7")
    checkpoints = Checkpoints(directory)
    assert checkpoints.newest() == 3
    assert "7 is damaged: it is the checkpoint of step 6" in warnings[0]


def test_the_record_of_another_step_is_seen_also_when_it_was_amended(directory, warnings):
    checkpoints = Checkpoints(directory)
    checkpoints.amend(3, Record(ROLES, validated=False))
    shutil.copy(directory / "3" / "record.json", directory / "6" / "record.json")
    assert Checkpoints(directory).newest() == 3 and "of step 3 under" in warnings[0]


@pytest.mark.parametrize(
    "name", ["²", "0011", "00", "１２", "٣", "+7", "1_0", " 8", "-1", "9.0", "x"]
)
def test_a_folder_of_another_name_is_no_step_and_stays(directory, warnings, name):
    shutil.copytree(directory / "6", directory / name)
    checkpoints = Checkpoints(directory, keep_last=1)
    assert checkpoints.steps() == [3, 6] and checkpoints.newest() == 6
    checkpoints.save(9, _state(9), Record({}))
    checkpoints.drop_after(6)
    assert sorted(p.name for p in directory.iterdir() if p.name != name) == []
    assert (directory / name).is_dir() and not warnings


def test_files_and_links_of_a_steps_name(directory, tmp_path):
    (directory / "8").write_text("a file")
    (directory / "6").rename(tmp_path / "elsewhere")
    (directory / "6").symlink_to(tmp_path / "elsewhere")
    checkpoints = Checkpoints(directory)
    assert checkpoints.steps() == [3, 6] and checkpoints.newest() == 6
    checkpoints.save(8, _state(8), Record(ROLES))
    checkpoints.drop_after(3)
    assert [p.name for p in directory.iterdir()] == ["3"]
    assert (tmp_path / "elsewhere" / "digests.json").exists()  # the link was ours to delete


@pytest.mark.parametrize(
    "changed",
    [
        {"roles": {"best": {"step": "3", "value": 1.0}}},
        {"roles": {"best": {"step": -3, "value": 1.0}}},
        {"roles": {"best": {"step": 3, "value": "high"}}},
        {"roles": {"best": {"step": 3}}},
        {"roles": []},
        {"sound": 1},
        {"validated": "yes"},
        {"pending": [{"loss": [1.0]}]},
        {"pending": [{"loss": ["a", "b"]}]},
        {"step": "6"},
        {"more": 1},
    ],
)
def test_a_record_of_another_shape_with_its_digest_is_no_record(directory, warnings, changed):
    whole = {"step": 6, **Record(ROLES)._asdict()}
    write_record(directory / "6" / "record.json", whole | changed)
    assert Checkpoints(directory).newest() == 3 and "6 is damaged: " in warnings[0]


def test_numbers_in_a_record_need_not_be_finite(directory):
    record = Record({"best": {"step": 3, "value": float("inf")}}, pending=[{"loss": [1e999, 1]}])
    Checkpoints(directory).amend(6, record)
    assert Checkpoints(directory).record(6) == record


@pytest.mark.parametrize("name", ["digests.json", "record.json"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(directory, warnings, name):
    (directory / "6" / name).unlink()
    os.mkfifo(directory / "6" / name)
    assert Checkpoints(directory).newest() == 3 and "it is a named pipe" in warnings[0]


@pytest.mark.parametrize("content", ["", "x", "²", b"\xff", "-5", "1_0", "٣", "1e3", "9" * 99])
def test_a_damaged_mark_of_a_finished_stage_is_one_error(tmp_path, content):
    text = content if isinstance(content, bytes) else content.encode()
    (tmp_path / FINISHED).write_bytes(text)
    with pytest.raises(InputError, match="finished .*(damaged|cannot be read).*Delete it,"):
        last_step(tmp_path)


def test_none_is_left(directory, warnings):
    for step in ("3", "6"):
        _truncate(directory / step / "digests.json")
    assert Checkpoints(directory).newest() is None
    assert len(warnings) == 2


def test_half_written_ones_are_cleared_away_with_a_word(directory, warnings):
    shutil.copytree(directory / "6", directory / ".9.unfinished")
    assert Checkpoints(directory).newest() == 6
    assert "not finished when a run was killed" in warnings[0]
    assert sorted(p.name for p in directory.iterdir()) == ["3", "6"]


@pytest.mark.parametrize("step", [3, 6])
def test_a_finished_stages_network_damaged_is_an_error_and_no_other_one_is_taken(directory, step):
    """Step 6 is the last and its record names 3."""
    files = _files(directory / str(step) / "variables")
    _flip_a_bit(next(p for p in files if p.stat().st_size > 999))
    for _ in range(2):
        checkpoints = Checkpoints(directory)
        with pytest.raises(InputError, match=f"{step} is needed, and damaged .*: .* has changed"):
            checkpoints.restore_variables(checkpoints.role_step("best", last=6))
    assert (directory / str(step)).is_dir()  # who only reads does not rename


def test_weights_are_not_taken_from_a_damaged_folder(directory):
    _flip_a_bit(next(p for p in _files(directory / "6" / "variables") if p.stat().st_size > 999))
    with pytest.raises(InputError, match="6 is damaged .* has changed since it was written"):
        read_variables(directory / "6")


def test_a_full_disk_keeps_the_previous_one_and_says_so_once(directory, capfd, caplog):
    """No file may grow beyond 4 KiB, as with a quota: the weights do not fit."""
    checkpoints, told = Checkpoints(directory), "9 could not be saved.*of step 6, untouched.*room"
    with small_disk(4096), pytest.raises(InputError, match=told) as e:
        checkpoints.save(9, _state(9), Record(ROLES))
    assert "(File too large)" in str(e.value)
    assert "Traceback" not in capfd.readouterr().err and not caplog.records  # of its threads
    assert sorted(p.name for p in directory.iterdir()) == ["3", "6"]
    assert Checkpoints(directory).newest() == 6
    checkpoints.save(9, _state(9), Record(ROLES))  # with room again
    assert Checkpoints(directory).newest() == 9


@pytest.mark.parametrize("saved_before", [True, False])
def test_a_removed_folder_is_not_made_anew(directory, saved_before):
    checkpoints = Checkpoints(directory)
    if saved_before:
        checkpoints.save(9, _state(9), Record(ROLES))
    else:
        assert checkpoints.newest() == 6  # a run that goes on
    shutil.rmtree(directory)
    with pytest.raises(InputError, match="12 could not be saved.*No such file"):
        checkpoints.save(12, _state(12), Record(ROLES))
    assert not directory.exists()


def test_a_later_record_does_not_touch_the_state(directory):
    checkpoints = Checkpoints(directory)
    pending = [{"loss": [float(np.float32(0.1)), 1.0]}]
    record = Record({"best": {"step": 6, "value": 0.1 + 0.2}}, False, False, pending)
    checkpoints.amend(6, record)
    again = Checkpoints(directory)
    assert again.newest() == 6 and again.record(6) == record  # to the last bit of a float
    assert again.newest(sound=True) == 3
