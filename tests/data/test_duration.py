"""Durations of a stage in each unit, as steps."""

import pytest
from ml_collections import ConfigDict

from tcam_jax.data.duration import UNITS, duration_of, plan_of
from tcam_jax.data.protocol import Data, TrainingSize
from tcam_jax.runtime.errors import InputError


class _Uncounted(Data):
    """As a user's own data may be: ten shots."""

    class_names = ("a", "b")

    def steps_per_epoch(self, batch_size):
        return -(-10 // batch_size)


class _Counted(_Uncounted):
    """Ten shots of 100 frames together."""

    def training_size(self):
        return TrainingSize(10, 100)


def _section(**given):
    return ConfigDict(dict.fromkeys(UNITS, 0) | {"batch_size": 4} | given)


@pytest.mark.parametrize(
    ("given", "steps"),
    [
        ({"epochs": 5}, 15),
        ({"steps": 7}, 7),
        ({"examples": 9}, 3),
        ({"passes": 2.0}, 50),
        ({"passes": 0.01}, 1),
        ({}, 0),
    ],
)
def test_every_unit_makes_steps(given, steps):
    plan = plan_of(_section(**given), _Counted())
    assert (plan.num_steps, plan.steps_per_epoch, plan.examples) == (steps, 3, 4 * steps)
    assert plan.passes == 4 * steps / 100


def test_data_that_does_not_count_its_frames_has_no_passes():
    plan = plan_of(_section(steps=7), _Uncounted())
    assert plan.num_steps == 7 and plan.passes is None
    with pytest.raises(InputError, match="passes=2.0 needs data with the member training_size"):
        plan_of(_section(passes=2.0), _Uncounted())


def test_one_unit_alone_may_be_given():
    assert duration_of(_section()) is None
    with pytest.raises(InputError, match="steps=3 and passes=1.5 are given. Set all but one to 0"):
        duration_of(_section(steps=3, passes=1.5))
