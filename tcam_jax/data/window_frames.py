"""Which frames of a shot stand around a target: its window, a pure function of the window's key.

The target has a fixed place on the window's t axis, and frames are in their order of time. A window
never crosses the shot's ends: a side that has too few frames gives all of them, and the slots left
over on its outer end are not valid.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np

from tcam_jax.data.shot_table import ShotTable
from tcam_jax.runtime.errors import InputError

WindowMode = Literal["before", "after", "before_after"]
WindowSampling = Literal["adjacent", "gaussian", "interval"]

_NEIGHBOUR_STREAM = 3  # of random numbers; `data.sampler` has those before


class Sampling(NamedTuple):
    """How the n neighbours of a side are chosen among its f frames, all distinct.

    Attributes:
      name: "adjacent": the n nearest. "gaussian": drawn one after the other without replacement,
        each in proportion to exp(-d^2 / (2 sigma_t^2)), d frames from the target. "interval": the
        side is cut into n parts of equally many frames, give or take one, and one frame is drawn
        uniformly in each, so that they are spread to the shot's end.
      sigma_t: of "gaussian", frames, above 0.
    """

    name: WindowSampling = "adjacent"
    sigma_t: float = 10.0


ADJACENT = Sampling()


class WindowIndices(NamedTuple):
    """The frames of one batch of windows.

    `records` int64 `[b, t]`: record numbers. `valid` bool `[b, t]`: False where the window
    reaches over an end of the shot; such a slot repeats the target's record.
    """

    records: np.ndarray
    valid: np.ndarray


def window_offsets(n: int, mode: str) -> np.ndarray:
    """Frame numbers of a window of adjacent frames relative to its target, int64 `[t]`.

    Raises:
        InputError: n is negative or the mode unknown.
    """
    if n < 0:
        raise InputError(f"expected a number of neighbours n >= 0, got {n}; use 0 for one frame")
    match mode:
        case "before":
            return np.arange(-n, 1)
        case "after":
            return np.arange(n + 1)
        case "before_after":
            return np.arange(-n, n + 1)
    raise InputError(f"expected a window mode of {get_args(WindowMode)}, got {mode!r}")


def target_position(n: int, mode: str) -> int:
    """Place of the target frame on the window's t axis: last, first or middle."""
    return int(np.flatnonzero(window_offsets(n, mode) == 0)[0])


def windows_around(
    table: ShotTable,
    targets: np.ndarray,
    *,
    n: int,
    mode: str,
    sampling: Sampling = ADJACENT,
    keys: Sequence[Sequence[int]] = (),
) -> WindowIndices:
    """The windows of the target records int64 `[b]`, inside their shots: `[b, t]`.

    Args:
        table: the split's.
        targets: record numbers.
        n, mode: how many neighbours, and on which sides, see `window_offsets`.
        sampling: which frames of these sides.
        keys: of each window, numbers of 0 or more such as (seed, step, slot, attempt), which decide
            what is drawn; adjacent frames need none.

    Raises:
        InputError: n is negative, the mode or the sampling unknown, or sigma_t not above 0.
    """
    offsets = window_offsets(n, mode)
    shots = table.shot[targets]
    start, stop = table.start[shots], table.stop[shots]
    if sampling.name == "adjacent":
        records = targets[:, None] + offsets
    else:
        _check(sampling)
        records = np.full((len(targets), len(offsets)), -1)
        for row, (target, key) in enumerate(zip(targets.tolist(), keys, strict=True)):
            draws = np.random.default_rng([*key[:2], _NEIGHBOUR_STREAM, *key[2:]])
            sides = {-1: target - start[row], 1: stop[row] - 1 - target}
            for side, frames in sides.items():
                if (places := np.flatnonzero(offsets * side > 0)).size:
                    distances = _distances(draws, int(frames), n, sampling)
                    # The side's places from the target outwards.
                    near = places[np.argsort(np.abs(offsets[places]))][: len(distances)]
                    records[row, near] = target + side * distances
        records[:, offsets == 0] = targets[:, None]
    valid = (records >= start[:, None]) & (records < stop[:, None])
    return WindowIndices(np.where(valid, records, targets[:, None]), valid)


def _distances(draws: np.random.Generator, frames: int, n: int, sampling: Sampling) -> np.ndarray:
    """Distances from the target of the at most n frames that are chosen of a side, ascending."""
    if frames <= n:
        return np.arange(1, frames + 1)
    if sampling.name == "interval":
        bounds = -(-np.arange(n + 1) * frames // n)  # of the parts 0 … n - 1
        return 1 + draws.integers(bounds[:-1], bounds[1:])
    distances = np.arange(1, frames + 1)
    # The n largest of log weights with Gumbel noise are drawn one after the other without
    # replacement (Kool et al., ICML 2019); weights far out, which would be 0, still have an order.
    noisy = -((distances / sampling.sigma_t) ** 2) / 2 + draws.gumbel(size=frames)
    return np.sort(distances[np.argpartition(-noisy, n - 1)[:n]])


def _check(sampling: Sampling) -> None:
    if sampling.name not in get_args(WindowSampling):
        known = ", ".join(get_args(WindowSampling))
        raise InputError(f"expected a sampling of a window of {known}, got {sampling.name!r}")
    if not sampling.sigma_t > 0:
        raise InputError(f"expected a sigma_t above 0 frames, got {sampling.sigma_t}")
