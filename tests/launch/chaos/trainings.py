"""Trainings that are disturbed: by signals, by losing their reader, by losing each other."""

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from tcam_jax.runtime import partners, processes
from tests.launch.chaos.commands import BOUND, World, disturb, ends_well, wait
from tests.launch.test_interrupt import assert_same_run


def _same(world: World, workdir: Path, undisturbed: str) -> None:
    assert_same_run(world.folder / undisturbed, workdir)
    assert not list(workdir.glob("*/checkpoints/*.damaged*")), "damaged by a kill"
    assert not list(workdir.rglob(".*.tmp")), "temporary files are left"


def train(world: World, name: str, length: float) -> list[str]:
    """Signals, also while a checkpoint is written."""
    workdir = world.folder / name
    told = disturb(
        world,
        lambda: world.train(workdir),
        length,
        in_save=lambda: any(workdir.glob("*/checkpoints/.*")),
    )
    ends_well(world, name, world.train(workdir))
    _same(world, workdir, "undisturbed")
    return told


def stdout(world: World, name: str, length: float) -> list[str]:
    """The reader of standard output ends in mid-run: the run goes on to its end."""
    workdir, delay = world.folder / name, world.draws.uniform(0.5, length)
    process = world.train(workdir, stdout=subprocess.PIPE)
    wait(process, delay)
    process.stdout.close()
    ends_well(world, name, process)
    _same(world, workdir, "undisturbed")
    return [f"reader ended after {delay:.1f} s"]


def start_pair(world: World, workdir: Path) -> list[subprocess.Popen]:
    """Start two processes that train as one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return [
        world.train(
            workdir,
            "--distributed",
            JAX_COORDINATOR_ADDRESS=f"127.0.0.1:{port}",
            JAX_COORDINATOR_BIND_ADDRESS=f"127.0.0.1:{port}",
            JAX_NUM_PROCESSES="2",
            JAX_PROCESS_ID=str(index),
        )
        for index in range(2)
    ]


def pair(world: World, name: str, length: float) -> list[str]:
    """One of two is killed, or stopped for longer than the heartbeat; then both begin again."""
    workdir, victim = world.folder / name, world.draws.randrange(2)
    number = world.draws.choice([signal.SIGKILL, signal.SIGSTOP])
    delay = world.draws.uniform(0.3 * length, length)  # both have begun
    both = start_pair(world, workdir)
    survivor, told = both[1 - victim], "ended before"
    if wait(both[victim], delay):
        both[victim].send_signal(number)
        began = time.monotonic()
        bound = BOUND + (processes.HEARTBEAT_TIMEOUT if number == signal.SIGSTOP else 0)
        try:
            status = survivor.wait(timeout=bound)
        finally:
            both[victim].kill()
            both[victim].wait()
        told = (
            f"{number.name} of process {victim} after {delay:.1f} s: status {status} of the other "
            f"in {time.monotonic() - began:.1f} s"
        )
        if status != 0:  # else it was at its end
            assert status == partners.STATUS, f"{told}: {world.said(name)}"
            said = world.said(name)
            assert partners._MESSAGE in said and "stack trace" not in said, said
            assert "Traceback" not in said, said
    for process in both:
        process.wait(timeout=BOUND)
    again = start_pair(world, workdir)
    for process in again:
        ends_well(world, name, process)
    _same(world, workdir, "undisturbed_pair")
    return [told]


def undisturbed(world: World) -> float:
    """Make the run to compare with, twice, as the first one compiles; return its seconds."""
    for name in ("first", "undisturbed"):
        began = time.monotonic()
        ends_well(world, name, world.train(world.folder / name))
    shutil.rmtree(world.folder / "first")
    return time.monotonic() - began


def undisturbed_pair(world: World) -> float:
    """Make the run of two processes to compare with; return its seconds."""
    for name in ("first_pair", "undisturbed_pair"):
        began = time.monotonic()
        for process in start_pair(world, world.folder / name):
            ends_well(world, name, process)
    return time.monotonic() - began
