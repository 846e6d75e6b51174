"""Several processes as one: who writes, what all of them know, when they stop together.

With one process every function here is the plain local operation. Process 0 alone reads and writes
the workdir; the others get what they need of it from there, so they need not see its disk.
"""

import json
import os
import time
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils
from jaxtyping import PyTree

from tcam_jax.runtime import partners
from tcam_jax.runtime.errors import InputError

T = TypeVar("T")

# A process that is silent for so long is taken for dead, and the others stop, seconds.
HEARTBEAT_TIMEOUT = 60
_OTHERS_END = 1.0  # seconds
_ADDRESS, _COUNT, _INDEX = "JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID"


def join(initialization_timeout: int = 300) -> None:
    """Make this process one of several; before anything else touches a device.

    SLURM, Open MPI and Cloud TPU pods are recognised by JAX itself; elsewhere the environment
    variables JAX_COORDINATOR_ADDRESS (host:port of process 0), JAX_NUM_PROCESSES and
    JAX_PROCESS_ID say who is who.

    Args:
      initialization_timeout: to wait for the others, seconds.

    Where the others do not come in time, or one is lost later, this process ends: see
    `runtime.partners`.

    Raises:
      InputError: nothing says who is who.
    """
    # Its handler of SIGTERM would take the place of ours, and it knows nothing of SIGINT.
    jax.config.update("jax_enable_preemption_service", False)
    explicit: dict[str, Any] = {}
    if os.environ.get(_COUNT) or os.environ.get(_INDEX):
        try:
            explicit = {
                "coordinator_address": os.environ[_ADDRESS],
                "num_processes": int(os.environ[_COUNT]),
                "process_id": int(os.environ[_INDEX]),
            }
        except (KeyError, ValueError) as error:
            raise InputError(
                f"{_ADDRESS} (host:port), {_COUNT} and {_INDEX} (numbers) must all be set, or none "
                f"of the last two; it is {error} that is missing or wrong."
            ) from error
    partners.heed_losses()
    try:
        jax.distributed.initialize(
            **explicit,
            heartbeat_timeout_seconds=HEARTBEAT_TIMEOUT,
            initialization_timeout=initialization_timeout,
        )
    except ValueError as error:
        raise InputError(
            f"--distributed needs a cluster that JAX knows, or {_ADDRESS}, {_COUNT} and {_INDEX}; "
            f"JAX says: {error}"
        ) from error


def is_first() -> bool:
    """Tell whether this process is the one that writes."""
    return jax.process_index() == 0


def broadcast(make: Callable[[], T]) -> T:
    """Return what `make` gives in process 0 (a JSON value), in every process.

    Raises:
      InputError: in every process, if `make` raised one, or an OSError, in process 0.
    """
    if jax.process_count() == 1:
        return _made(make)
    return json.loads(_broadcast_bytes(lambda: json.dumps(make()).encode()))


def broadcast_arrays(make: Callable[[], PyTree], like: Callable[[], PyTree]) -> PyTree:
    """Return what `make` gives in process 0, a tree of NumPy arrays in the form of `like()`.

    It travels as bytes: sums and conversions on the way would not keep every bit. With one process
    nothing travels, and `like` is not called.

    Raises:
      InputError: see `broadcast`.
    """
    if jax.process_count() == 1:
        return _made(make)
    leaves, structure = jax.tree.flatten(like())
    received = _broadcast_bytes(
        lambda: b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(make()))
    )
    start, arrays = 0, []
    for leaf in leaves:
        count = int(np.prod(leaf.shape))
        arrays.append(np.frombuffer(received, leaf.dtype, count, start).reshape(leaf.shape))
        start += arrays[-1].nbytes
    return jax.tree.unflatten(structure, arrays)


def _made(make: Callable[[], T]) -> T:
    try:
        return make()
    except OSError as error:
        place = error.filename or "a file of the run"
        raise InputError(
            f"{place} cannot be read or written ({error.strerror}). Make room, or change its "
            "permissions, and run the same command again."
        ) from error


def _broadcast_bytes(make: Callable[[], bytes]) -> bytes:
    """Return what `make` gives in process 0; where it raises InputError, all processes do."""
    sent, failed = b"", False
    if is_first():
        try:
            sent = _made(make)
        except InputError as error:
            sent, failed = str(error).encode(), True
    header = np.array([len(sent), failed], jax.dtypes.canonicalize_dtype(np.int64))
    length, failed = np.asarray(multihost_utils.broadcast_one_to_all(header)).tolist()
    content = np.frombuffer(sent, np.uint8) if is_first() else np.zeros(length, np.uint8)
    received = np.asarray(multihost_utils.broadcast_one_to_all(content)).tobytes()
    if failed:
        raise InputError(received.decode())
    return received


def gather(here: Any) -> list[Any]:
    """Return, in every process, the JSON values `here` of all of them, in their order."""
    if jax.process_count() == 1:
        return [here]
    content = np.frombuffer(json.dumps(here).encode(), np.uint8)
    lengths = multihost_utils.process_allgather(np.array(content.size, np.int32)).tolist()
    padded = np.zeros(max(lengths), np.uint8)
    padded[: content.size] = content
    rows = multihost_utils.process_allgather(padded)
    return [json.loads(row[:n].tobytes()) for row, n in zip(rows, lengths, strict=True)]


def all_reduce_any(here: bool) -> bool:
    """Tell, in every process, whether `here` is true in any of them."""
    if jax.process_count() == 1:
        return here
    return bool(multihost_utils.process_allgather(np.array(here)).any())


def all_reduce_sum(here: np.ndarray) -> np.ndarray:
    """Return, in every process, the sum over the processes of integer or float arrays.

    Where each process filled rows of its own and left the others 0, that is the whole.
    """
    if jax.process_count() == 1:
        return here
    return np.asarray(multihost_utils.process_allgather(here)).sum(0, dtype=here.dtype)


def let_others_end() -> None:
    """Before this process ends with an error: the others may have one of their own to tell.

    When process 0 is gone they can only say that it is.
    """
    if jax.distributed.is_initialized() and is_first():
        time.sleep(_OTHERS_END)


def barrier(reason: str) -> None:
    """Return when every process has come here."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(reason)
