"""Durations: as many steps as were asked for, or one refusal."""

import math
from fractions import Fraction

from hypothesis import example, given
from hypothesis import strategies as st
from ml_collections import ConfigDict

from tcam_jax.data.duration import UNITS, duration_of, plan_of
from tcam_jax.data.protocol import Data, TrainingSize
from tcam_jax.runtime.recurring import UNITS as RECURRING
from tcam_jax.runtime.recurring import Recurring, every
from tests.fuzz import damage, outcome

AMOUNTS = st.one_of(
    st.integers(0, 9), st.integers(1, 10**12), st.floats(0, 1e9), st.floats(), damage.ODD
)
WORDS = st.lists(
    st.sampled_from([*RECURRING, "step", "epoch", "1", "100", "1e308", "1e9", "5e-324", " ", "_"])
    | damage.TEXT,
    max_size=4,
).map("".join)


class _Shots(Data):
    class_names = ("a", "b")

    def __init__(self, shots: int, frames: int):
        self._size = TrainingSize(shots, frames)

    def steps_per_epoch(self, batch_size):
        return -(-self._size.shots // batch_size)

    def training_size(self):
        return self._size


@outcome.examples(150)
@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(UNITS, AMOUNTS)),
    st.integers(1, 64),
    st.integers(1, 10**7),
    st.integers(1, 1000),
)
@example({"passes": 1e308}, 4, 3, 100)
@example({"examples": 10**400}, 4, 3, 100)
@example({"steps": 0.5}, 4, 3, 100)
@example({"epochs": "3"}, 4, 3, 100)
@example({"epochs": 2**40}, 4, 3, 100)
def test_steps_of_a_stage(asked, batch_size, shots, frames_per_shot):
    section = ConfigDict(dict.fromkeys(UNITS, 0) | {"batch_size": batch_size})
    with section.ignore_type():
        section.update(asked)
    frames = shots * frames_per_shot
    plan = outcome.of(lambda: plan_of(section, _Shots(shots, frames)))
    if isinstance(plan, outcome.Refused):
        return
    used = {unit: amount for unit, amount in asked.items() if amount}
    per_unit = {"epochs": -(-shots // batch_size), "steps": 1}
    per_unit |= {"examples": Fraction(1, batch_size), "passes": Fraction(frames, batch_size)}
    wanted = sum(Fraction(amount) * per_unit[unit] for unit, amount in used.items())
    assert abs(plan.num_steps - math.ceil(wanted)) <= wanted / 2**50  # floats
    assert (plan.num_steps > 0) == bool(used) == (duration_of(section) is not None)


@outcome.examples(100)
@given(WORDS | damage.ODD.filter(lambda x: isinstance(x, str)), st.integers(1, 10**6))
@example("1e308 epochs", 10)
def test_any_words(text, steps_per_epoch):
    of = outcome.of(lambda: every(text))
    if not isinstance(of, outcome.Refused):
        assert 0 < of.amount < math.inf and of.unit in RECURRING
        Recurring(of, steps_per_epoch).comes_at(3, False)


@outcome.examples(40)
@given(st.integers(1, 10**9), st.sampled_from(RECURRING), st.booleans(), st.integers(1, 99))
def test_words_that_say_it(count, unit, short, steps_per_epoch):
    of = every(f" {count} {unit.removesuffix('s') if short else unit}")
    assert of == (count, unit)
    if unit != "minutes":
        steps = count * (steps_per_epoch if unit == "epochs" else 1)
        recurring = Recurring(of, steps_per_epoch)
        assert (
            recurring.comes_at(steps, False)
            and not recurring.comes_at(steps + 1, False)
            or (steps == 1)
        )
