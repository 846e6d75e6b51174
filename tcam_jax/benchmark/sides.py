"""Times libraries in turns, each in a process of its own.

In one process the allocators and threads of two libraries cost each other up to 40 %. The parent
lets one process work at a time; what counts are ratios of interleaved rounds, not the machine.
"""

import multiprocessing
import random
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Way = Callable[[], Any]


class Prepared(NamedTuple):
    """What a side makes in its process.

    Attributes:
      ways: {name: function}; it returns when its work is done, on the device too.
      figures: whatever else is to be told of this side; it is pickled.
    """

    ways: Mapping[str, Way]
    figures: Mapping[str, Any]


class Measured(NamedTuple):
    """What one side's process tells.

    Attributes:
      seconds: {name of a way: its time in each round}.
      figures: see `Prepared`.
    """

    seconds: dict[str, list[float]]
    figures: Mapping[str, Any]


def measure(sides: Mapping[str, Callable[[], Prepared]], rounds: int) -> dict[str, Measured]:
    """Return the times of every way of every side; figures of one round belong together.

    In a round each side works once, its ways in another order each time: none is always the first
    after the other process. A first round, which compiles and warms up, is not counted.

    Args:
      sides: {name: function that prepares it}, which must be picklable.
      rounds: measurements of each way, at least 1.
    """
    context = multiprocessing.get_context("spawn")
    processes, working = [], {}
    try:
        for name, prepare in sides.items():
            here, there = context.Pipe()
            process = context.Process(target=_work, args=(there, prepare))
            process.start()
            processes.append(process)
            there.close()  # only the process has it now: its end is noticed
            names, figures = _receive(here)  # one at a time: preparing may measure, too
            working[name] = (here, Measured({way: [] for way in names}, figures))
        shuffle = random.Random(0).shuffle
        for number in range(rounds + 1):
            for connection, measured in working.values():
                order = list(measured.seconds)
                shuffle(order)
                for way in order:
                    connection.send(way)
                    elapsed = _receive(connection)
                    if number > 0:
                        measured.seconds[way].append(elapsed)
    finally:
        for process in processes:
            process.terminate()
            process.join()
    return {name: measured for name, (_, measured) in working.items()}


def _work(connection: Any, prepare: Callable[[], Prepared]) -> None:
    """Time one call of the way that the parent names, again and again."""
    ways, figures = prepare()
    connection.send((list(ways), figures))
    while True:
        way = ways[connection.recv()]
        way()  # the other process has had the caches and the memory
        start = time.perf_counter()
        way()
        connection.send(time.perf_counter() - start)


def _receive(connection: Any) -> Any:
    try:
        return connection.recv()
    except EOFError:
        raise RuntimeError("a measuring process ended; its message is above") from None
