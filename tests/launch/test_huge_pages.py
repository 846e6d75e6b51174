"""Commands start again with huge pages for their memory, once and as they were called."""

import json
import os
import subprocess
import sys

import pytest

from tests.launch.conftest import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="glibc's settings")

# Python imports this first of all: what each start was.
_TELL = """
import json, os, sys
start = os.getpid(), sys.orig_argv[1:], os.environ.get("GLIBC_TUNABLES")
with open(os.environ["TOLD"], "a") as file:
    print(json.dumps(start), file=file)
"""


@pytest.fixture
def starts(tmp_path):
    def run(*arguments, **variables):
        (tmp_path / "sitecustomize.py").write_text(_TELL)
        told = tmp_path / "told"
        told.write_text("")
        environment = {key: os.environ[key] for key in os.environ if key != "GLIBC_TUNABLES"}
        environment |= {"TOLD": str(told), "PYTHONPATH": str(tmp_path), **variables}
        subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, check=True)
        return [json.loads(line) for line in told.read_text().splitlines()]

    return run


def test_a_command_starts_again_in_the_same_process(starts):
    call = ["-X", "utf8", "-m", "launch.train", "--help", "--name=a value"]
    (first, *before), (second, *after) = starts(*call)
    assert first == second
    assert (before, after) == ([call, None], [call, "glibc.malloc.hugetlb=1"])


def test_settings_of_the_user_are_kept(starts):
    call = ["-m", "launch.train", "--help"]
    first, second = starts(*call, GLIBC_TUNABLES="glibc.malloc.perturb=0")
    assert second[2] == "glibc.malloc.perturb=0:glibc.malloc.hugetlb=1"
    chosen = "glibc.malloc.hugetlb=0"
    assert [start[2] for start in starts(*call, GLIBC_TUNABLES=chosen)] == [chosen]


def test_who_imports_the_package_is_left_alone(starts):
    assert len(starts("-c", "import launch")) == 1
