"""Commands in order of importance, on a machine that is lent for minutes."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tcam_jax.runtime.files import write_whole

# Below, nothing begins: a program would hardly be compiled.
_LEAST_S = 20


class Part(NamedTuple):
    """One command.

    Attributes:
      name: of the files that it writes.
      command: words.
    """

    name: str
    command: Sequence[str]


def run_parts(
    parts: Sequence[Part],
    folder: Path,
    limit_s: float,
    about: Mapping[str, Any],
    run: Callable[[Sequence[str], Path, float], str],
    clock: Callable[[], float] = time.monotonic,
) -> list[dict[str, Any]]:
    """Run the parts one after the other until the time is up, whatever becomes of each.

    After each part `folder/session.json` says what became of all of them so far.

    Args:
      parts: the most important first.
      folder: for `session.json`, and NAME.log of each part.
      limit_s: seconds for all of them; what runs then is ended, what has not begun is left out.
      about: what else `session.json` is to say.
      run: (command, log, seconds) -> "done", or what went wrong; see `run_command`.
      clock: seconds.

    Returns:
      For each part "name", "command", "seconds" and "outcome".
    """
    start, rows = clock(), []
    for part in parts:
        began = clock()
        left = limit_s - (began - start)
        if left < _LEAST_S:
            outcome = "left out: no time"
        else:
            outcome = run(part.command, folder / f"{part.name}.log", left)
        row = {"name": part.name, "command": " ".join(part.command)}
        rows.append(row | {"seconds": round(clock() - began, 1), "outcome": outcome})
        write_whole(folder / "session.json", json.dumps({**about, "parts": rows}, indent=1) + "\n")
    return rows


def run_command(command: Sequence[str], log: Path, seconds: float) -> str:
    """Run a command into its log; return "done" or what went wrong."""
    with log.open("w") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            code = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # the processes that it began, too
            process.wait()
            return f"ended after {seconds:.0f} s"
    return "done" if code == 0 else f"failed ({code}), see {log.name}"
