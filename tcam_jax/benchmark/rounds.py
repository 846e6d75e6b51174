"""Times several ways of doing things in turns, on a machine that others may be using."""

import random
import statistics
import time
from collections.abc import Callable, Mapping

import numpy as np

Way = Callable[[], object]


def take_turns(ways: Mapping[str, Way], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each way in each round; figures of one round belong together.

    A round runs every way once, in another order each time, so that none always profits from, or
    suffers after, the same neighbour. A first round, which compiles and warms up, is not counted.

    Args:
      ways: {name: function}; it returns when its work is done, on the device too.
      rounds: measurements of each way, at least 1.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    shuffle = random.Random(0).shuffle
    for number in range(rounds + 1):
        order = list(ways)
        shuffle(order)
        for name in order:
            start = time.perf_counter()
            ways[name]()
            if number > 0:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def summary(seconds: list[float], items: int = 1) -> dict[str, float]:
    """Return milliseconds an item: the median of the rounds, and the quartiles."""
    low, middle, high = (1e3 * np.quantile(seconds, [0.25, 0.5, 0.75]) / items).tolist()
    return {"milliseconds": middle, "quartiles": [low, high]}


def ratio(one: list[float], other: list[float]) -> float:
    """Return the median over the rounds of `one`'s time to `other`'s."""
    return statistics.median(a / b for a, b in zip(one, other, strict=True))
