"""Reads a profile of `jax.profiler`: which kernels a device ran, and for how long."""

import gzip
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tcam_jax.runtime.errors import InputError

# The device's own threads of a trace; it draws other rows above them that sum these up.
_THREADS = ("Stream", "XLA Ops")
_OP_NAME = re.compile(r'^\s*(?:ROOT )?%([\w.-]+) = .*?op_name="([^"]*)"', re.MULTILINE)


class Kernel(NamedTuple):
    """What one operation of a program costs.

    Attributes:
      operation: its name in the compiled program; of what belongs to none, the kernel's own.
      kernel: the name of what ran on the device, which tells the library.
      source: the operation of the traced step that it came from, if known.
      milliseconds: a step.
      calls: a step.
    """

    operation: str
    kernel: str
    source: str
    milliseconds: float
    calls: float


def read_trace(folder: Path) -> Mapping[str, Any]:
    """Return the newest trace below the folder that `jax.profiler.trace` wrote.

    Raises:
      InputError: there is none.
    """
    found = sorted(folder.glob("plugins/profile/*/*.trace.json.gz"))
    if not found:
        raise InputError(f"{folder} has no profile: no plugins/profile/DATE/HOST.trace.json.gz")
    return json.loads(gzip.decompress(found[-1].read_bytes()))


def kernels(trace: Mapping[str, Any], steps: int, program: str = "") -> list[Kernel]:
    """Return the kernels of a trace, the most expensive first.

    Args:
      trace: see `read_trace`.
      steps: how many it is of; what is returned is of one, and of all devices together.
      program: text of the compiled program, which tells where its operations come from.
    """
    sources = dict(_OP_NAME.findall(program))
    spent: dict[str, float] = defaultdict(float)
    calls: dict[str, int] = defaultdict(int)
    ran: dict[str, str] = {}
    for event in _events(trace):
        operation = event.get("args", {}).get("hlo_op", event["name"])
        spent[operation] += event["dur"] / 1e3
        calls[operation] += 1
        ran[operation] = event["name"]
    order = sorted(spent, key=lambda operation: -spent[operation])
    return [
        Kernel(o, ran[o], sources.get(o, ""), spent[o] / steps, calls[o] / steps) for o in order
    ]


def _events(trace: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what devices ran; where the trace has no device, a CPU's own operations."""
    events = trace["traceEvents"]
    named = [e for e in events if e.get("ph") == "M" and "name" in e.get("args", {})]
    processes = {e["pid"]: e["args"]["name"] for e in named if e["name"] == "process_name"}
    threads = {(e["pid"], e["tid"]): e["args"]["name"] for e in named if e["name"] == "thread_name"}
    devices = {pid for pid, name in processes.items() if name.startswith("/device:")}
    for event in events:
        if event.get("ph") != "X":
            continue
        thread = threads.get((event["pid"], event.get("tid")), "")
        if event["pid"] in devices:
            if thread.startswith(_THREADS):
                yield event
        elif not devices and "hlo_op" in event.get("args", {}):
            yield event
