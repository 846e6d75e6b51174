import itertools
from collections import Counter

import numpy as np
import pytest
from scipy.stats import chi2_contingency, chisquare

from tcam_jax.data.sampler import ONCE, Visits, steps_per_epoch, window_indices
from tcam_jax.data.shot_table import Row, ShotTable
from tcam_jax.data.window_frames import target_position

MODES = ("before", "after", "before_after")


def table_of(*lengths: int) -> ShotTable:
    return ShotTable.from_rows(
        Row(f"v{shot // 2}", f"s{shot}", index, shot // 2, False)
        for shot, length in enumerate(lengths)
        for index in range(length)
    )


def targets_of(table, epoch, batch_size, seed=0, visits=ONCE):
    """The target records of all slots of an epoch."""
    per_epoch = steps_per_epoch(table, batch_size, visits)
    steps = range(epoch * per_epoch, (epoch + 1) * per_epoch)
    return np.concatenate(
        [
            window_indices(
                table,
                seed=seed,
                step=step,
                batch_size=batch_size,
                n=0,
                mode="before",
                visits=visits,
            ).records[:, 0]
            for step in steps
        ]
    )


@pytest.mark.parametrize("batch_size", [1, 3, 7, 8, 20])
def test_every_epoch_visits_every_shot_once_then_fills_from_further_shuffles(batch_size):
    table = table_of(3, 1, 4, 1, 5, 9, 2)
    orders = []
    for epoch in range(20):
        shots = table.shot[targets_of(table, epoch, batch_size)].tolist()
        assert len(shots) == -(-7 // batch_size) * batch_size
        for begin in range(0, len(shots), 7):
            visit = shots[begin : begin + 7]
            assert len(set(visit)) == len(visit)
        assert set(shots[:7]) == set(range(7))
        orders.append(tuple(shots))
    assert len(set(orders)) == 20
    if batch_size == 20:
        assert any(order[:7] != order[7:14] for order in orders)


def test_filler_slots_draw_new_frames():
    table = table_of(50, 50)
    same = sum(
        len(set(targets_of(table, epoch, batch_size=4).tolist())) < 4 for epoch in range(200)
    )
    # Two draws of 50 frames for each of 2 shots coincide in about 4 % of the epochs.
    assert same < 25


def test_targets_are_uniform_in_their_shot_and_orders_uniform():
    table = table_of(5, 1, 8)
    epochs = [targets_of(table, epoch, batch_size=2, seed=3) for epoch in range(3000)]
    for slots in (slice(0, 3), slice(3, 4)):  # the visit and the filler slot
        drawn = Counter(np.concatenate([epoch[slots] for epoch in epochs]).tolist())
        for start, stop in zip(table.start, table.stop, strict=True):
            if stop - start > 1:
                assert chisquare([drawn[record] for record in range(start, stop)]).pvalue > 1e-3
    orders = Counter(tuple(table.shot[epoch[:3]].tolist()) for epoch in epochs)
    assert len(orders) == 6
    assert chisquare(list(orders.values())).pvalue > 1e-3
    fillers = Counter(table.shot[[epoch[3] for epoch in epochs]].tolist())
    assert chisquare([fillers[shot] for shot in range(3)]).pvalue > 1e-3


def test_a_batch_is_a_pure_function_of_seed_and_step():
    table = table_of(*range(1, 12))
    arguments = {"batch_size": 4, "n": 2, "mode": "before"}
    forwards = [window_indices(table, seed=5, step=step, **arguments) for step in range(12)]
    for step in (11, 0, 7, 3, 10):  # of epochs whose draws are no longer at hand
        again = window_indices(table, seed=5, step=step, **arguments)
        np.testing.assert_array_equal(again.records, forwards[step].records)
        np.testing.assert_array_equal(again.valid, forwards[step].valid)
    other = window_indices(table, seed=6, step=0, **arguments)
    assert not np.array_equal(other.records, forwards[0].records)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("n", [0, 1, 3, 40])
def test_windows_equal_a_loop_over_frames(mode, n):
    table = table_of(1, 2, 3, 5, 8, 1)
    before, after = {"before": (n, 0), "after": (0, n), "before_after": (n, n)}[mode]
    place = target_position(n, mode)
    assert place == {"before": n, "after": 0, "before_after": n}[mode]
    for step in range(30):
        records, valid = window_indices(table, seed=1, step=step, batch_size=4, n=n, mode=mode)
        plain = window_indices(table, seed=1, step=step, batch_size=4, n=0, mode=mode)
        assert records.dtype == np.int64 and valid.dtype == np.bool_
        assert records.shape == valid.shape == (4, before + 1 + after)
        # The target does not depend on the window around it.
        np.testing.assert_array_equal(records[:, place], plain.records[:, 0])
        for row in range(4):
            target = int(records[row, place])
            shot = table.shot[target]
            for slot, neighbour in enumerate(range(target - before, target + after + 1)):
                inside = 0 <= neighbour < table.num_records and table.shot[neighbour] == shot
                assert valid[row, slot] == inside
                assert records[row, slot] == (neighbour if inside else target)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"mode": "around"}, "expected a window mode of .*before_after.*, got 'around'"),
        ({"n": -1}, "n >= 0, got -1"),
        ({"batch_size": 0}, "batch_size >= 1, got 0"),
        ({"step": -1}, "step >= 0"),
        ({"seed": -2}, "seed >= 0"),
    ],
)
def test_bad_arguments(wrong, message):
    arguments = {"seed": 0, "step": 0, "batch_size": 2, "n": 1, "mode": "before"} | wrong
    with pytest.raises(ValueError, match=message):
        window_indices(table_of(2, 3), **arguments)


def test_order_and_targets_are_independent():
    # Drawn from the same numbers, they would tie a shot's place to the frame shown.
    table = table_of(*[2] * 8)
    epochs = np.stack([targets_of(table, epoch, batch_size=8) for epoch in range(2000)])
    shots, frames = table.shot[epochs], table.index_in_shot[epochs]
    for place, drawn in itertools.product(range(8), range(8)):
        counts = np.histogram2d(shots[:, place], frames[:, drawn], bins=(8, 2))[0]
        assert chi2_contingency(counts).pvalue > 1e-3 / 64


def test_several_frames_of_a_shot_are_spread_over_it():
    table = table_of(12, 1, 3, 7)
    visits = Visits(frames_per_shot=3)
    assert steps_per_epoch(table, 10, visits) == 1  # 3 + 1 + 3 + 3
    drawn = Counter()
    for epoch in range(2000):
        targets = targets_of(table, epoch, batch_size=10, visits=visits)
        assert Counter(table.shot[targets].tolist()) == {0: 3, 1: 1, 2: 3, 3: 3}
        inside = np.sort(targets[table.shot[targets] == 0])
        np.testing.assert_array_equal(inside // 4, [0, 1, 2])  # one in each third
        assert set(targets[table.shot[targets] == 2]) == {13, 14, 15}  # as many as it has frames
        drawn.update(inside.tolist())
    assert chisquare([drawn[record] for record in range(12)]).pvalue > 1e-3
    # Thirds of seven frames: 0-1, 2-3, 4-6.
    last = np.sort(targets[table.shot[targets] == 3]) - 16
    assert last[0] in (0, 1) and last[1] in (2, 3) and last[2] in (4, 5, 6)


@pytest.mark.parametrize("batch_size", [4, 5])
def test_balanced_epochs_have_as_many_frames_of_every_class(batch_size):
    table = table_of(2, 2, 2, 2, 2, 2, 5)  # classes 0, 1, 2 of two shots each, class 3 of one
    visits = Visits(balanced=True)
    slots = batch_size * steps_per_epoch(table, batch_size, visits)
    extra, shots = Counter(), Counter()
    for epoch in range(400):
        targets = targets_of(table, epoch, batch_size, visits=visits)
        classes = Counter(table.label[targets].tolist())
        assert set(classes.values()) <= {slots // 4, -(-slots // 4)}
        extra.update(label for label, count in classes.items() if count > slots // 4)
        shots.update(table.shot[targets].tolist())
    if slots % 4:  # what does not divide evenly goes round
        assert chisquare([extra[label] for label in range(4)]).pvalue > 1e-3
    assert chisquare([shots[shot] for shot in range(6)]).pvalue > 1e-3
    assert abs(shots[6] / (shots[0] + shots[1]) - 1) < 0.05
    orders = {tuple(targets_of(table, epoch, batch_size, visits=visits)) for epoch in range(20)}
    assert len(orders) == 20
