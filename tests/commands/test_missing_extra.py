"""Without the extra `train`, what needs it says so in one line; the rest works."""

import subprocess
import sys

import pytest

from tests.launch.conftest import ROOT

LEFT_OUT = (
    *("tensorflow", "tensorflow_datasets", "array_record", "scenedetect", "simplejpeg", "torch"),
)


def _without_extras(program: str) -> subprocess.CompletedProcess:
    blocked = f"import sys; sys.modules.update(dict.fromkeys({LEFT_OUT!r}))\n"
    command = [sys.executable, "-c", blocked + program]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize("name", ["prepare", "train"])
def test_commands_that_need_it_name_it(tmp_path, name):
    workdir = [] if name == "prepare" else [f"--workdir={tmp_path / 'run'}"]
    arguments = ["tcam", name, "--config=configs/demo.py", *workdir]
    done = _without_extras(
        f"sys.argv = {arguments!r}\n"
        # The process is not replaced by one in which nothing is left out.
        "import os; os.environ['GLIBC_TUNABLES'] = 'glibc.malloc.hugetlb=1'\n"
        "from tcam_jax.commands.tcam import main; main()"
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: this needs tensorflow")
    assert line.endswith("pip install 'tcam_jax[train]'")
    assert not (tmp_path / "run").exists()
