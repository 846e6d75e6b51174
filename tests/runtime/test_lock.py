import shutil
import subprocess
import sys

import pytest

from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.lock import check_held, locked

HOLD = """
import sys, time
from pathlib import Path
from tcam_jax.runtime.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_two_runs_cannot_share_a_workdir_and_a_killed_one_does_not_block_it(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    other = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "held\n"
    with pytest.raises(InputError, match=f"in use by process {other.pid} of .*, since"):
        locked(tmp_path).__enter__()
    other.kill()
    other.wait()
    with locked(tmp_path):
        pass


def _deleted(folder):
    shutil.rmtree(folder)


def _a_file(folder):
    shutil.rmtree(folder)
    folder.touch()


def _moved(folder):
    folder.rename(folder.with_name("elsewhere"))


def _another(folder):
    _moved(folder)
    folder.mkdir()
    (folder / ".lock").touch()  # of another process


@pytest.mark.parametrize("change", [_deleted, _a_file, _moved, _another])
def test_a_folder_that_is_no_longer_ours_is_noticed(tmp_path, change):
    folder = tmp_path / "run"
    folder.mkdir()
    with locked(folder):
        check_held(folder / "classifier" / "metrics.jsonl")
        change(folder)
        check_held(tmp_path / "elsewhere.txt")
        with pytest.raises(InputError, match="run was deleted, moved or replaced"):
            check_held(folder / "classifier" / "metrics.jsonl")
    check_held(folder / "classifier")  # nobody's
