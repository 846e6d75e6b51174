"""Commands in processes of their own that need not import everything again.

A server of multiprocessing's imports once what they all do, and forks: that takes half of the time
of a command that does little. Imports the standard library alone, as each fork begins with it.
"""

import atexit
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import forkserver
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).parents[2]


@contextmanager
def server(environment: Mapping[str, str]) -> Iterator[None]:
    """Start the server with that environment; `run` asks it."""
    multiprocessing.set_forkserver_preload(["tests.launch.preloaded"])
    with mock.patch.dict(os.environ, environment):
        forkserver.ensure_running()
    yield


def run(
    name: str, arguments: tuple[str, ...], environment: Mapping[str, str]
) -> subprocess.CompletedProcess:
    """Run `python -m launch.NAME ARGUMENTS` to its end in a fork of the server."""
    with tempfile.TemporaryDirectory() as folder:
        streams = [Path(folder, stream) for stream in ("stdout", "stderr")]
        process = multiprocessing.get_context("forkserver").Process(
            target=_command, args=(name, arguments, dict(environment), streams)
        )
        process.start()
        process.join()
        texts = [stream.read_text() for stream in streams]
    return subprocess.CompletedProcess([name, *arguments], process.exitcode, *texts)


def _command(name, arguments, environment, streams):
    for number, stream in enumerate(streams, start=1):
        os.dup2(os.open(stream, os.O_WRONLY | os.O_CREAT), number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    sys.argv = [name, *arguments]
    try:
        runpy.run_module(f"launch.{name}", run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()  # multiprocessing leaves them out
