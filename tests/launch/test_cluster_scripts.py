"""The launchers for many accelerators, with stand-ins for what they start.

The stand-in of `python` records how it was started and ends as the test wants it to, so nothing is
trained here; SLURM's commands and gcloud are stand-ins that record their arguments.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.launch.conftest import ROOT

SCRIPTS = sorted((ROOT / "launch").glob("*.sh"))
FLAGS = ("--config=configs/demo.py", "--workdir=runs/with space", "--config.note=it's $HOME")

# Ends as FAKE says for its process: with a status, or once told to with 75 (wait), or never (deaf).
FAKE_PYTHON = f"""#!{sys.executable} -SE
import json, os, signal, sys, time
if sys.argv[1] == "-c":
    os.execv({sys.executable!r}, sys.argv)
record, me = os.environ["RECORD"], os.environ.get("JAX_PROCESS_ID", "0")
ends = json.loads(os.environ.get("FAKE", "{{}}")).get(me, 0)

def told(*_):
    with open(f"{{record}}/told-{{me}}", "a") as file:
        file.write("x")
    if ends == "wait":
        print("saved", flush=True)
        sys.exit(75)

signal.signal(signal.SIGTERM, told)
print("process", me, flush=True)
with open(f"{{record}}/writing-{{me}}", "w") as file:
    started = {{"arguments": sys.argv[1:], "environment": dict(os.environ), "pid": os.getpid()}}
    json.dump(started, file)
os.rename(f"{{record}}/writing-{{me}}", f"{{record}}/started-{{me}}")
processes = int(os.environ.get("JAX_NUM_PROCESSES", "0"))
while isinstance(ends, str) or sum(n.startswith("started") for n in os.listdir(record)) < processes:
    time.sleep(0.05)
sys.exit(ends)
"""

FAKE_COMMAND = """#!/usr/bin/env bash
printf '%s\\0' "$@" > "$RECORD/${0##*/}-$(ls "$RECORD" | wc -l)"
exit "${FAKE_STATUS:-0}"
"""


def _executable(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def record(tmp_path) -> Path:
    folder = tmp_path / "record"
    folder.mkdir()
    return folder


@pytest.fixture
def environment(tmp_path, record) -> dict[str, str]:
    """Stand-ins first on PATH; an environment that launch/environment.sh takes as installed."""
    _executable(tmp_path / "venv/bin/python", FAKE_PYTHON)
    for name, of in (("requirements", "requirements.txt"), ("checkout", "pyproject.toml")):
        (tmp_path / f"venv/installed-{name}").write_text((ROOT / of).read_text())
    for name in ("srun", "scontrol", "gcloud"):
        _executable(tmp_path / "bin" / name, FAKE_COMMAND)
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SLURM_", "JAX_", "CUDA_"))
    }
    return clean | {
        "VENV": str(tmp_path / "venv"),
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "RECORD": str(record),
        "TERM_AFTER": "0",
        "KILL_AFTER": "1",
    }


@pytest.fixture
def bash(environment) -> Callable[..., subprocess.CompletedProcess]:
    """Return a function that runs `bash launch/NAME.sh ARGS`, with further variables."""

    def run(name: str, *arguments: str, status: int = 0, **variables: str):
        done = subprocess.run(
            ["bash", f"launch/{name}.sh", *arguments],
            cwd=ROOT,
            env=environment | variables,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done

    return run


def _calls(record: Path, name: str) -> list[list[str]]:
    paths = sorted(record.glob(f"{name}-*"), key=lambda path: path.stat().st_mtime_ns)
    return [path.read_text().split("\0")[:-1] for path in paths]


def _started(record: Path) -> dict[int, dict]:
    found = record.glob("started-*")
    return {int(path.name.split("-")[1]): json.loads(path.read_text()) for path in found}


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # One that ended but whose parent, killed too, has not collected it.
    return " Z " in Path(f"/proc/{pid}/stat").read_text()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_is_bash(script):
    subprocess.run(["bash", "-n", str(script)], check=True)


# local_processes.sh


def test_local_dry_run_shows_every_process(bash, record):
    lines = bash("local_processes", "2", "--dry_run", *FLAGS).stdout.splitlines()
    assert len(lines) == 2
    for index, line in enumerate(lines):
        words = shlex.split(line)
        assert words[-6:] == ["-m", "launch.train", "--distributed", *FLAGS]
        assert {f"JAX_PROCESS_ID={index}", "JAX_NUM_PROCESSES=2", "JAX_PLATFORMS=cpu"} < set(words)
    assert not list(record.iterdir())


def test_local_gpus_are_one_for_each_process(bash):
    def devices(**variables):
        lines = bash("local_processes", "2", "--gpus", "--dry_run", **variables).stdout.splitlines()
        return [w for line in lines for w in shlex.split(line) if w.startswith("CUDA_VISIBLE")]

    assert devices() == ["CUDA_VISIBLE_DEVICES=0", "CUDA_VISIBLE_DEVICES=1"]
    assert devices(CUDA_VISIBLE_DEVICES="4,6") == [
        "CUDA_VISIBLE_DEVICES=4",
        "CUDA_VISIBLE_DEVICES=6",
    ]
    too_few = bash("local_processes", "2", "--gpus", status=2, CUDA_VISIBLE_DEVICES="4")
    assert "CUDA_VISIBLE_DEVICES=4" in too_few.stderr


@pytest.mark.parametrize("count", ["", "0", "two", "--config=x"])
def test_local_needs_a_number(bash, count):
    assert "usage" in bash("local_processes", count, status=2).stderr


def test_local_processes_get_ids_one_coordinator_and_the_flags(bash, record):
    done = bash("local_processes", "3", *FLAGS)
    started = _started(record)
    assert sorted(started) == [0, 1, 2]
    for index, process in started.items():
        assert process["arguments"] == ["-m", "launch.train", "--distributed", *FLAGS]
        assert process["environment"]["JAX_PROCESS_ID"] == str(index)
        assert process["environment"]["JAX_NUM_PROCESSES"] == "3"
    addresses = {p["environment"]["JAX_COORDINATOR_ADDRESS"] for p in started.values()}
    assert len(addresses) == 1
    host, port = addresses.pop().split(":")
    assert host == "127.0.0.1" and 1024 <= int(port) < 65536
    assert done.stdout == "process 0\n"
    assert sorted(done.stderr.splitlines()) == ["[1] process 1", "[2] process 2"]


@pytest.mark.parametrize("status", [1, 2, 3, 75])
def test_local_first_failure_stops_the_rest_and_is_the_status(bash, record, status):
    fake = json.dumps({"0": "wait", "1": status, "2": "wait"})
    done = bash("local_processes", "3", status=status, FAKE=fake)
    assert f"process 1 ended with status {status}" in done.stderr
    assert "[2] saved" in done.stderr  # the last words of one that was told to end
    assert {path.name for path in record.glob("told-*")} == {"told-0", "told-2"}


def test_local_kills_what_does_not_end(bash, record):
    start = time.monotonic()
    bash("local_processes", "2", status=1, FAKE=json.dumps({"0": "deaf", "1": 1}))
    assert time.monotonic() - start < 20
    assert _gone(_started(record)[0]["pid"])


def _heed_signals() -> None:
    """Signals that a child ignores from its start (as under nohup) no script can heed."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _begin(environment, record, count, **fake) -> subprocess.Popen:
    """Start the script and wait until all processes run."""
    process = subprocess.Popen(
        ["bash", "launch/local_processes.sh", str(count)],
        cwd=ROOT,
        env=environment | {"FAKE": json.dumps(fake)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # as a job of its own, which Ctrl-C reaches as a whole
        preexec_fn=_heed_signals,
    )
    deadline = time.monotonic() + 30
    while len(_started(record)) < count:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    return process


@pytest.mark.parametrize("whole_group", [False, True], ids=["script", "terminal"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_local_signal_is_passed_on_once_to_all(environment, record, number, whole_group):
    process = _begin(environment, record, 2, **{"0": "wait", "1": "wait"})
    (os.killpg if whole_group else os.kill)(process.pid, number)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 75, output
    assert "[1] saved" in output
    assert [(record / f"told-{index}").read_text() for index in (0, 1)] == ["x", "x"]
    assert all(_gone(process["pid"]) for process in _started(record).values())


def test_local_process_killed_from_outside_is_a_failure(environment, record):
    process = _begin(environment, record, 2, **{"0": "wait", "1": "wait"})
    os.kill(_started(record)[1]["pid"], signal.SIGKILL)
    process.communicate(timeout=30)
    assert process.returncode == 137
    assert (record / "told-0").exists()


# slurm.sh


def test_slurm_dry_run(bash, record):
    lines = bash("slurm", "--dry_run", *FLAGS).stdout.splitlines()
    words = shlex.split(lines[0])
    assert words[0] == "srun"
    assert words[words.index("python") :] == [
        *("python", "-m", "launch.train", "--distributed"),
        *FLAGS,
    ]
    assert lines[-1] == "scontrol requeue JOB"
    assert not list(record.iterdir())


def test_slurm_asks_for_signal_and_requeue():
    text = (ROOT / "launch/slurm.sh").read_text()
    options = {line.split()[1] for line in text.splitlines() if line.startswith("#SBATCH")}
    assert {"--signal=TERM@120", "--requeue", "--open-mode=append"} < options
    values = dict(option.split("=") for option in options if "=" in option)
    assert values["--ntasks-per-node"] == values["--gpus-per-node"]
    # sbatch reads no further than the first command.
    assert text.rindex("#SBATCH") < text.index("set -euo")


@pytest.mark.parametrize("status", [0, 1, 2, 3, 75, 143])
def test_slurm_job_goes_back_only_when_interrupted(bash, record, status):
    job = {"SLURM_JOB_ID": "17", "SLURM_SUBMIT_DIR": str(ROOT), "SLURM_CPUS_PER_TASK": "4"}
    # scontrol ends with the same status here; the job's is training's all the same.
    bash("slurm", *FLAGS, status=status, FAKE_STATUS=str(status), **job)
    [call] = _calls(record, "srun")
    assert "--cpus-per-task=4" in call
    assert call[-3:] == list(FLAGS)
    assert _calls(record, "scontrol") == ([["requeue", "17"]] if status in (75, 143) else [])


def test_slurm_job_does_not_go_back_for_ever(bash, record):
    job = {"SLURM_JOB_ID": "17", "SLURM_RESTART_COUNT": "100", "FAKE_STATUS": "75"}
    assert "not put back" in bash("slurm", *FLAGS, status=75, **job).stderr
    assert not _calls(record, "scontrol")


@pytest.mark.parametrize("workdir", [["--workdir=runs/a b"], ["--workdir", "runs/a b"]])
def test_slurm_array_is_one_run_for_each_seed(bash, record, workdir):
    job = {
        "SLURM_JOB_ID": "17",  # that of the whole array too
        "SLURM_ARRAY_JOB_ID": "17",
        "SLURM_ARRAY_TASK_ID": "2",
        "FAKE_STATUS": "75",
    }
    bash("slurm", *workdir, "--config=configs/demo.py", status=75, **job)
    [call] = _calls(record, "srun")
    assert call[-1] == "--config.seed=2"
    assert "runs/a b-seed2" in " ".join(call)
    assert _calls(record, "scontrol") == [["requeue", "17_2"]]


def test_slurm_outside_of_a_job(bash, record, tmp_path):
    assert "sbatch launch/slurm.sh" in bash("slurm", *FLAGS, status=2).stderr
    elsewhere = {"SLURM_JOB_ID": "17", "SLURM_SUBMIT_DIR": str(tmp_path)}
    assert "submit from the checkout" in bash("slurm", *FLAGS, status=2, **elsewhere).stderr
    assert not _calls(record, "srun")


# tpu_pod.sh


def _check_tpu_commands(commands: list[list[str]]) -> None:
    copy, *on_workers = commands
    assert copy[:4] == ["compute", "tpus", "tpu-vm", "scp"]
    for call in on_workers:
        assert call[:5] == ["compute", "tpus", "tpu-vm", "ssh", "pod"]
        assert {"--zone=us-a1", "--worker=all"} < set(call)
    scripts = [call[-1].removeprefix("--command=") for call in on_workers]
    assert "jax[tpu]" in scripts[1]
    for script in scripts:
        subprocess.run(["bash", "-n", "-c", script], check=True)
    # What the worker's shell makes of it.
    words = shlex.split(scripts[-1])
    assert words[words.index("exec") + 1 :] == [
        *("python", "-m", "launch.train", "--distributed"),
        *FLAGS,
    ]


def test_tpu_dry_run(bash, record):
    lines = bash("tpu_pod", "pod", "us-a1", "--dry_run", *FLAGS).stdout.splitlines()
    commands = [shlex.split(line) for line in lines]
    assert all(command[0] == "gcloud" for command in commands)
    _check_tpu_commands([command[1:] for command in commands])
    assert not list(record.iterdir())


def test_tpu_commands(bash, record):
    bash("tpu_pod", "pod", "us-a1", *FLAGS)
    _check_tpu_commands(_calls(record, "gcloud"))


def test_tpu_first_failure_ends_it(bash, record):
    bash("tpu_pod", "pod", "us-a1", *FLAGS, status=75, FAKE_STATUS="75")
    assert len(_calls(record, "gcloud")) == 1


def test_tpu_needs_name_and_zone(bash):
    assert "usage" in bash("tpu_pod", "pod", "--config=x", status=2).stderr


# jobset.yaml


def test_jobset():
    jobset = yaml.safe_load((ROOT / "launch/jobset.yaml").read_text())
    assert jobset["apiVersion"] == "jobset.x-k8s.io/v1alpha2"
    assert jobset["kind"] == "JobSet"
    spec = jobset["spec"]
    [replicated] = spec["replicatedJobs"]
    assert spec["coordinator"]["replicatedJob"] == replicated["name"]

    job = replicated["template"]["spec"]
    pod = job["template"]["spec"]
    [container] = pod["containers"]
    environment = {entry["name"]: entry for entry in container["env"]}
    assert job["completionMode"] == "Indexed"
    assert job["backoffLimit"] == 0
    assert pod["restartPolicy"] == "Never"  # a podFailurePolicy asks for it
    assert pod["terminationGracePeriodSeconds"] == 120
    hosts = job["parallelism"]
    assert hosts == job["completions"] == int(environment["JAX_NUM_PROCESSES"]["value"])
    assert "completion-index" in str(environment["JAX_PROCESS_ID"])
    assert environment["JAX_COORDINATOR_ADDRESS"]["value"].startswith("$(COORDINATOR):")
    assert list(environment).index("COORDINATOR") < list(environment).index(
        "JAX_COORDINATOR_ADDRESS"
    )
    assert container["command"] == ["python", "-m", "launch.train", "--distributed"]
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}


def test_jobset_restarts_what_was_interrupted_and_nothing_that_cannot_work():
    spec = yaml.safe_load((ROOT / "launch/jobset.yaml").read_text())["spec"]
    job = spec["replicatedJobs"][0]["template"]["spec"]
    codes = [rule.get("onExitCodes", {}).get("values") for rule in job["podFailurePolicy"]["rules"]]
    assert codes == [[2, 3], [75], None]
    assert {rule["action"] for rule in job["podFailurePolicy"]["rules"]} == {"FailJob"}
    first, second = spec["failurePolicy"]["rules"]
    # Of two rules that match, the first counts; it is the one for the Job's rule 0.
    assert first["action"] == "FailJobSet"
    assert first["onJobFailureMessagePatterns"] == ["matching FailJob rule at index 0$"]
    assert second["action"] == "RestartJobSetAndIgnoreMaxRestarts"
    assert first["onJobFailureReasons"] == second["onJobFailureReasons"] == ["PodFailurePolicy"]
