"""A walk of a network over frames: devices, the way back and the judging of maps side by side.

JAX returns from a forward pass before it has ended: the passes of the next batches are queued while
one runs, a thread fetches what is ready, and threads on all cores judge the maps of those before.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import numpy as np

from tcam_jax.data.truth import Truth
from tcam_jax.evaluate.maps import FrameOutputs
from tcam_jax.models.tcam import Variables
from tcam_jax.runtime.cores import usable_cores

Batch = Mapping[str, np.ndarray]
Job = Callable[[], None]

_INPUTS = ("frames", "classes", "motion")  # of a forward pass, in its order

AHEAD = 2
"""Batches queued on the devices behind the one that is waited for; as many more may be judged."""


class Seen(NamedTuple):
    """One batch and what the network says of it.

    Attributes:
      frames: uint8 `[b, s, s, 3]`.
      real: places in the batch that are no padding, int `[r]`.
      indices: their places in the `Truth`, `[r]`.
      logits, maps, predicted_maps: see `evaluate.maps.FrameOutputs`.
    """

    frames: np.ndarray
    real: np.ndarray
    indices: Sequence[int]
    logits: np.ndarray
    maps: np.ndarray
    predicted_maps: np.ndarray | None


class _Queued(NamedTuple):
    frames: np.ndarray
    real: np.ndarray
    indices: Sequence[int]
    dispatched: float
    fetched: Future[tuple[Any, float]]  # `FrameOutputs` of NumPy arrays, and when they came


class Timing(NamedTuple):
    """Seconds that devices took for so many frames, padding among them; not those of batch 0."""

    seconds: float
    frames: int


def walk(
    forward: Callable[..., FrameOutputs],
    variables: Variables,
    batches: Iterable[Batch],
    truth: Truth,
    shard: Callable[[Batch], Mapping[str, jax.Array]],
    jobs: Callable[[Seen], Iterable[Job]],
) -> Timing:
    """Run `forward` over `batches`, and do in threads what `jobs` makes of each.

    Nothing here talks to other processes, so that it may run in a thread beside other work.

    Args:
      forward: of `evaluate.maps.make_forward`; CAMs are those of the true classes.
      variables: on the devices that `shard` uses.
      batches: this process's {"frames": uint8 [b, s, s, 3], "record": int64 [b]}, and "motion"
        where `forward` asks for it; padding has record -1. What it raises, as
        `runtime.interruption.Interruption.between` does, ends the walk: jobs that have not begun
        are dropped.
      truth: of all frames.
      shard: spreads a batch over the devices, see `runtime.parallel.Parallel.shard_flat`.
      jobs: called in this thread, batch by batch in their order; what it gives is done in any
        order, several at once, and done when this returns.

    Returns:
      A pass is timed from when it was queued, or the one before it was back, until it was back
      itself, without batch 0, which may compile. Where the devices do other work too, that counts:
      on a CPU the judging, beside training its steps.

    Raises:
      ValueError: there is no batch.
      Exception: whatever a job raises.
    """
    index_of = {record: index for index, record in enumerate(truth.records.tolist())}
    queued: deque[_Queued] = deque()
    judged: deque[list[Future[None]]] = deque()
    seconds, timed = 0.0, 0
    back: float | None = None

    def conclude() -> None:
        nonlocal seconds, timed, back
        frames, real, indices, dispatched, fetched = queued.popleft()
        outputs, ready = fetched.result()
        if back is not None:
            seconds += ready - max(dispatched, back)
            timed += len(frames)
        back = ready
        seen = Seen(frames, real, indices, *outputs)
        judged.append([judges.submit(job) for job in jobs(seen)])
        if len(judged) > AHEAD:
            _finish(judged.popleft())

    with _threads(1) as fetching, _threads(usable_cores()) as judges:
        for batch in batches:
            real = np.flatnonzero(batch["record"] >= 0)
            indices = [index_of[record] for record in batch["record"][real].tolist()]
            classes = np.zeros(len(batch["record"]), np.int32)
            classes[real] = truth.labels[indices]
            start = time.perf_counter()
            outputs = forward(variables, *inputs_of(batch, classes, shard))
            fetched = fetching.submit(_fetch, outputs)
            queued.append(_Queued(batch["frames"], real, indices, start, fetched))
            if len(queued) > AHEAD:
                conclude()
        while queued:
            conclude()
        while judged:
            _finish(judged.popleft())
    if back is None:
        raise ValueError("expected at least one batch, got none")
    return Timing(seconds, timed)


def inputs_of(
    batch: Batch, classes: np.ndarray, shard: Callable[[Batch], Mapping[str, Any]]
) -> tuple[Any, ...]:
    """Return what `forward` takes of a batch beside the variables, on the devices.

    By place: called by name, it would be another program.
    """
    given = {**batch, "classes": classes}
    put = shard({name: given[name] for name in _INPUTS if name in given})
    return tuple(put[name] for name in _INPUTS if name in put)


def _fetch(outputs: FrameOutputs) -> tuple[Any, float]:
    return jax.device_get(outputs), time.perf_counter()


def _finish(futures: Iterable[Future[None]]) -> None:
    for future in futures:
        future.result()


@contextmanager
def _threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that begin nothing more when the block is left."""
    pool = ThreadPoolExecutor(count)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
