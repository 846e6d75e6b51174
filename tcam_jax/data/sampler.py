"""Which frames make up a batch: a pure function of (seed, step), so that resuming is arithmetic.

Every epoch visits every shot once, in an order drawn for (seed, epoch); of each shot one target
frame is drawn uniformly and taken with its n neighbours, never crossing the shot's ends (TCAM,
section 3: the CAMs of frames t-n..t of a shot are max-pooled). `Visits` says what may differ: more
frames of a shot, and as many of every class.
"""

import functools
from typing import NamedTuple

import numpy as np

from tcam_jax.data.shot_table import ShotTable
from tcam_jax.data.window_frames import ADJACENT, Sampling, WindowIndices, windows_around
from tcam_jax.runtime.errors import InputError

# `data.window_frames` has another.
_ORDER_STREAM, _TARGET_STREAM, _REDRAW_STREAM = 0, 1, 2


class Visits(NamedTuple):
    """What an epoch visits.

    Attributes:
      frames_per_shot: target frames of a shot, one drawn in each of as many equal parts of it; a
        shot of fewer frames is visited as often as it has frames.
      balanced: every class comes equally often, give or take one: of a class with fewer parts than
        its share each comes several times, of one with more some are left out in this epoch.
    """

    frames_per_shot: int = 1
    balanced: bool = False


ONCE = Visits()


class _Parts(NamedTuple):
    """Parts of shots, `[parts]` each, of which an epoch draws a target; the records start:stop."""

    start: np.ndarray
    stop: np.ndarray


def steps_per_epoch(table: ShotTable, batch_size: int, visits: Visits = ONCE) -> int:
    """ceil(visits / batch_size), the number of batches in which an epoch visits every shot."""
    return _batches(_parts(table, visits), batch_size)


def window_indices(
    table: ShotTable,
    *,
    seed: int,
    step: int,
    batch_size: int,
    n: int,
    mode: str,
    visits: Visits = ONCE,
    sampling: Sampling = ADJACENT,
    rows: slice | np.ndarray = slice(None),
) -> WindowIndices:
    """The windows of global step `step` (0-based), the same on every host.

    The last batch of an epoch is filled up from a second shuffle of that epoch's shots (and more,
    if the batch is larger than the number of shots), with target frames of their own.

    Args:
        table: the split's.
        seed: of the order and of the targets.
        step: global step.
        batch_size: b, of the global batch.
        n, mode: how many neighbours a target has, and on which sides, see
            `window_frames.window_offsets`.
        visits: what an epoch visits.
        sampling: which frames of these sides.
        rows: slots of the global batch, in the order in which their windows are given.

    Returns:
        `[rows, t]` records and validity; t = n + 1, or 2n + 1 for mode "before_after".

    Raises:
        InputError: step, seed, n or batch_size out of range, or an unknown mode or sampling.
    """
    if step < 0 or seed < 0:
        raise InputError(f"expected seed >= 0 and step >= 0, got seed {seed} and step {step}")
    parts = _parts(table, visits)
    per_epoch = _batches(parts, batch_size)
    epoch, step_in_epoch = divmod(step, per_epoch)
    if visits.balanced:
        of_class = table.label[parts.start]
        by_class = np.argsort(of_class, kind="stable")
        groups = tuple(np.unique(of_class, return_counts=True)[1].tolist())
    else:
        by_class, groups = np.arange(len(parts.start)), (len(parts.start),)
    order, fraction = _epoch_draws(seed, epoch, groups, per_epoch * batch_size)
    slots = np.arange(batch_size)[rows]
    drawn = step_in_epoch * batch_size + slots

    chosen = by_class[order[drawn]]
    start, stop = parts.start[chosen], parts.stop[chosen]
    targets = start + np.floor(fraction[drawn] * (stop - start)).astype(np.int64)
    keys = [(seed, step, slot, 0) for slot in slots.tolist()]
    return windows_around(table, targets, n=n, mode=mode, sampling=sampling, keys=keys)


def redraw_target(table: ShotTable, *, seed: int, step: int, slot: int, attempt: int) -> int:
    """Another target record for one slot of the global batch, where the drawn one is damaged.

    Uniformly a shot and then one of its frames. A function of its arguments alone, so that a batch
    with damaged records is still the same on every host and after every restart.

    Args:
        table: the split's.
        seed: of the sampler.
        step: global step.
        slot: place in the global batch.
        attempt: 1, 2, ...: the number of this redraw.
    """
    draws = np.random.default_rng([seed, step, _REDRAW_STREAM, slot, attempt])
    shot = draws.integers(table.num_shots)
    return int(draws.integers(table.start[shot], table.stop[shot]))


def _parts(table: ShotTable, visits: Visits) -> _Parts:
    if visits.frames_per_shot < 1:
        raise InputError(f"expected frames_per_shot >= 1, got {visits.frames_per_shot}")
    if visits.frames_per_shot == 1:
        return _Parts(table.start, table.stop)
    lengths = table.stop - table.start
    counts = np.minimum(visits.frames_per_shot, lengths)
    shots = np.repeat(np.arange(table.num_shots), counts)
    number = np.arange(len(shots)) - np.repeat(np.cumsum(counts) - counts, counts)
    start, length, count = table.start[shots], lengths[shots], counts[shots]
    return _Parts(start + number * length // count, start + (number + 1) * length // count)


def _batches(parts: _Parts, batch_size: int) -> int:
    if batch_size < 1:
        raise InputError(f"expected a batch_size >= 1, got {batch_size}")
    return -(-len(parts.start) // batch_size)


# Two epochs: the one being read and, where batches are prefetched over its end, the next.
@functools.lru_cache(maxsize=2)
def _epoch_draws(
    seed: int, epoch: int, groups: tuple[int, ...], num_slots: int
) -> tuple[np.ndarray, np.ndarray]:
    """Number of a part and uniform [0, 1) draw for every slot of an epoch, each `[num_slots]`.

    Parts are numbered one group after the other; `groups` are their sizes. Of each group come
    equally many.
    """
    shuffles = np.random.default_rng([seed, epoch, _ORDER_STREAM])
    if len(groups) == 1:
        order = _shuffled(shuffles, groups[0], num_slots)
    else:
        # Which groups get what does not divide evenly changes from epoch to epoch.
        share = np.bincount(_shuffled(shuffles, len(groups), num_slots), minlength=len(groups))
        first = np.cumsum(groups) - groups
        drawn = [
            start + _shuffled(shuffles, size, count)
            for start, size, count in zip(first, groups, share.tolist(), strict=True)
        ]
        order = shuffles.permutation(np.concatenate(drawn))
    fraction = np.random.default_rng([seed, epoch, _TARGET_STREAM]).random(num_slots)
    # Cached arrays are shared by all callers.
    order.setflags(write=False)
    fraction.setflags(write=False)
    return order, fraction


def _shuffled(shuffles: np.random.Generator, size: int, count: int) -> np.ndarray:
    """The numbers 0 … size - 1, shuffled, as often as it takes for `count` of them."""
    rounds = -(-count // size)
    return np.concatenate([shuffles.permutation(size) for _ in range(rounds)])[:count]
