"""Every so many steps, epochs or minutes."""

import time

import pytest

from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.recurring import Every, Recurring, every


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 epoch", (1, "epochs")),
        ("0.5 epochs", (0.5, "epochs")),
        ("100 steps", (100, "steps")),
        ("1 step", (1, "steps")),
        (" 10 minutes ", (10, "minutes")),
        ("1e1 minutes", (10, "minutes")),
    ],
)
def test_what_can_be_said(text, expected):
    assert every(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "epoch", "1", "0 steps", "-1 epoch", "nan steps", "inf minutes", "1.5 steps", "2 hours"],
)
def test_what_cannot(text):
    with pytest.raises(InputError, match=f"number above 0 and a unit, such as .*; it is '{text}'"):
        every(text)


@pytest.mark.parametrize(
    ("of", "steps"),
    [
        (Every(4, "steps"), [4, 8, 12]),
        (Every(1, "epochs"), [5, 10]),
        (Every(0.5, "epochs"), [2, 4, 6, 8, 10, 12]),
        (Every(0.01, "epochs"), list(range(1, 13))),
    ],
)
def test_steps_and_epochs_depend_on_the_step_alone(of, steps):
    recurring = Recurring(of, steps_per_epoch=5)
    assert [step for step in range(1, 13) if recurring.comes_at(step, step % 3 == 0)] == steps


def test_minutes_come_by_the_clock_where_metrics_are_written(monkeypatch):
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    recurring, came = Recurring(Every(2, "minutes"), steps_per_epoch=5), []
    for step in range(1, 31):
        now += 10
        if recurring.comes_at(step, step % 5 == 0):
            came.append(step)
    assert came == [15, 30]
