import itertools
from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from tcam_jax.data.sampler import window_indices
from tcam_jax.data.window_frames import Sampling, target_position, windows_around
from tests.data.test_sampler import MODES, table_of

GAUSSIAN, INTERVAL = Sampling("gaussian", 1.5), Sampling("interval")
DRAWS = 3000


def neighbours(table, target, n, mode, sampling):
    """The distances of the valid neighbours from one target, nearest first, of many draws."""
    keys = [(7, step, 0, 0) for step in range(DRAWS)]
    windows = windows_around(
        table, np.full(DRAWS, target), n=n, mode=mode, sampling=sampling, keys=keys
    )
    return [
        tuple(sorted((int(r) - target for r in records[valid] if r != target), key=abs))
        for records, valid in zip(*windows, strict=True)
    ]


def pvalue_of(drawn, expected):
    """Of draws against {outcome: probability}, which are all that there are."""
    counts = Counter(drawn)
    assert counts.keys() <= expected.keys()
    assert sum(expected.values()) == pytest.approx(1)
    outcomes = list(expected)
    return chisquare([counts[o] for o in outcomes], [DRAWS * expected[o] for o in outcomes]).pvalue


def of_successive_draws(frames, n, sigma):
    """{set of n distances of 1 … frames: probability}, by going through all orders of them."""
    weights = {d: np.exp(-(d**2) / (2 * sigma**2)) for d in range(1, frames + 1)}
    expected = Counter()
    for order in itertools.permutations(weights, n):
        left, probability = sum(weights.values()), 1.0
        for d in order:
            probability *= weights[d] / left
            left -= weights[d]
        expected[tuple(sorted(order))] += probability
    return expected


@pytest.mark.parametrize("n", [1, 3])
def test_gaussian_neighbours_are_successive_draws_by_their_weights(n):
    # Six frames before the target, in the middle of a split; none of the other side is taken.
    table, target = table_of(4, 9, 5), 4 + 6
    drawn = neighbours(table, target, n, "before", GAUSSIAN)
    expected = {
        tuple(-d for d in distances): probability
        for distances, probability in of_successive_draws(6, n, 1.5).items()
    }
    assert pvalue_of(drawn, expected) > 1e-3


def test_interval_neighbours_are_one_of_each_equal_part():
    # Eight frames after the target in three parts: 3, 3 and 2 frames.
    table, target = table_of(4, 10), 4 + 1
    parts = [(1, 2, 3), (4, 5, 6), (7, 8)]
    expected = dict.fromkeys(itertools.product(*parts), 1 / 18)
    assert pvalue_of(neighbours(table, target, 3, "after", INTERVAL), expected) > 1e-3


@pytest.mark.parametrize("sampling", [GAUSSIAN, INTERVAL])
def test_both_sides_are_drawn_apart_from_each_other(sampling):
    table, target = table_of(3, 9), 3 + 4  # four frames on each side
    drawn = neighbours(table, target, 1, "before_after", sampling)
    one = [0.25] * 4 if sampling is INTERVAL else of_successive_draws(4, 1, 1.5).values()
    side = dict(enumerate(one, start=1))
    expected = {}
    for left, right in itertools.product(side, side):
        expected[tuple(sorted((-left, right), key=abs))] = side[left] * side[right]
    assert pvalue_of(drawn, expected) > 1e-3


@pytest.mark.parametrize("sampling", [GAUSSIAN, INTERVAL, Sampling("gaussian", 0.01)])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("n", [0, 1, 4, 40])
def test_windows_are_distinct_frames_of_the_shot_in_order(mode, n, sampling):
    table = table_of(1, 2, 3, 30, 8, 90)
    place = target_position(n, mode)
    arguments = {"seed": 1, "batch_size": 5, "n": n, "mode": mode}
    for step in range(12):
        records, valid = window_indices(table, step=step, sampling=sampling, **arguments)
        adjacent = window_indices(table, step=step, **arguments)
        assert records.dtype == np.int64 and valid.dtype == np.bool_
        # The target is the same, and slots are valid where those of adjacent frames are: as many
        # as the side has frames, and those next to the target.
        np.testing.assert_array_equal(records[:, place], adjacent.records[:, place])
        np.testing.assert_array_equal(valid, adjacent.valid)
        for row in range(5):
            target, shown = records[row, place], records[row, valid[row]]
            assert (table.shot[shown] == table.shot[target]).all()
            assert (np.diff(shown) > 0).all()
            assert (records[row, ~valid[row]] == target).all()


def test_far_frames_whose_weights_vanish_are_still_drawn_in_order_of_distance():
    # exp(-(90 / 0.5)^2 / 2) is 0 in double precision.
    windows = windows_around(
        table_of(200),
        np.zeros(50, np.int64),
        n=90,
        mode="after",
        sampling=Sampling("gaussian", 0.5),
        keys=[(slot,) for slot in range(50)],
    )
    assert windows.valid.all() and (windows.records == np.arange(91)).all()


@pytest.mark.parametrize("sampling", [Sampling("gaussian", 20.0), INTERVAL])
def test_a_window_is_a_pure_function_of_seed_step_and_slot(sampling):
    table = table_of(*[40] * 12)
    arguments = {"batch_size": 8, "n": 3, "mode": "before_after", "sampling": sampling}
    whole = [window_indices(table, seed=5, step=step, **arguments) for step in range(9)]
    for step in (8, 0, 5):
        for rows in (slice(0, 3), np.array([7, 2, 4])):  # as hosts ask for them
            part = window_indices(table, seed=5, step=step, rows=rows, **arguments)
            np.testing.assert_array_equal(part.records, whole[step].records[rows])
            np.testing.assert_array_equal(part.valid, whole[step].valid[rows])
    offsets = {
        (seed, step): window_indices(table, seed=seed, step=step, **arguments).records
        for seed, step in itertools.product((5, 6), (0, 1))
    }
    for records in offsets.values():  # nor are two slots, steps or seeds drawn alike
        records -= records[:, 3:4]
    drawn = np.concatenate(list(offsets.values()))
    inside = [tuple(row) for row in drawn.tolist() if np.count_nonzero(row) == 6]
    assert len(set(inside)) > 0.9 * len(inside) > 10


@pytest.mark.parametrize(
    ("sampling", "message"),
    [
        (Sampling("uniform"), "adjacent, gaussian, interval, got 'uniform'"),
        (Sampling("gaussian", 0.0), "sigma_t above 0 frames, got 0.0"),
    ],
)
def test_bad_samplings(sampling, message):
    with pytest.raises(ValueError, match=message):
        windows_around(table_of(3), np.array([1]), n=1, mode="before", sampling=sampling)
