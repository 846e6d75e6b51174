"""What it costs the host to start a step, by how it is spread, and whether a step copies the state.

    python -m tests.train.call_time

One process and two, with two virtual devices each, and a step that does nothing but add to a state
of as many (small) arrays as that of each stage. A minute on 2 cores.
"""

import os
import socket
import subprocess
import sys
import time

if __name__ == "__main__":
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"

import jax
import numpy as np

from tcam_jax.runtime import processes
from tcam_jax.runtime.parallel import AXIS, Parallel

MODES = ("pmap", "shard_map", "jit")
# Arrays of a ResNet50's states, and of the frozen classifier.
ARRAYS = {"classifier": (432, 0), "tcam": (88, 267)}
ROUNDS = 60


class Spread:
    """A step that is spread in one `mode`, and its arguments."""

    def __init__(self, mode: str, trained: int, frozen: int):
        parallel = Parallel(mode)

        def step(state, frozen, batch):
            mean = batch["x"].mean()
            if parallel.axis_name is not None:
                mean = jax.lax.pmean(mean, AXIS)
            return [x + mean for x in state], {"mean": mean}

        self._step = parallel.compile(step)
        self._state = parallel.replicate([np.zeros(64, np.float32)] * trained)
        self._frozen = parallel.replicate([np.zeros(64, np.float32)] * frozen)
        slots = parallel.slots(4 * len(parallel.devices))
        self._batch = parallel.shard({"x": np.ones(len(slots), np.float32)})

    def call(self) -> float:
        """Take one step; return the caller's processor time, milliseconds."""
        begun = time.thread_time()
        self._state, _ = self._step(self._state, self._frozen, self._batch)
        seconds = time.thread_time() - begun
        jax.block_until_ready(self._state)
        return 1e3 * seconds

    def in_place(self) -> float:
        """Return the share of the state's arrays that a step leaves where they were."""
        before = self._places()
        self.call()
        return float(np.mean([a == b for a, b in zip(before, self._places(), strict=True)]))

    def _places(self) -> list[list[int]]:
        return [
            [shard.data.unsafe_buffer_pointer() for shard in x.addressable_shards]
            for x in self._state
        ]


def measure() -> None:
    """Print the rows of one number of processes, taking the modes in turn."""
    for stage, arrays in ARRAYS.items():
        spread = {mode: Spread(mode, *arrays) for mode in MODES}
        for each in spread.values():
            each.call()
        times = np.array([[each.call() for each in spread.values()] for _ in range(ROUNDS)])
        for mode, milliseconds in zip(MODES, np.median(times, 0), strict=True):
            row = (jax.process_count(), stage, mode, f"{milliseconds:.1f}")
            kept = spread[mode].in_place()
            if processes.is_first():
                print("|", *(f"{cell} |" for cell in (*row, f"{100 * kept:.0f}")), flush=True)


def main() -> None:
    """Measure here where the environment says which process this is; else start all of them."""
    if "JAX_NUM_PROCESSES" in os.environ:
        processes.join()
        measure()
        return
    print("| processes | stage | mode | ms a step | state in place, % |")
    print("| --- " * 5 + "|", flush=True)
    measure()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    of_all = os.environ | {"JAX_COORDINATOR_ADDRESS": address, "JAX_NUM_PROCESSES": "2"}
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.train.call_time"],
            env=of_all | {"JAX_PROCESS_ID": str(index)},
        )
        for index in range(2)
    ]
    sys.exit(max(process.wait() for process in started))


if __name__ == "__main__":
    main()
