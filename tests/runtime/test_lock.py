import subprocess
import sys

import pytest

from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.lock import locked

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
