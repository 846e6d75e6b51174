import jax.numpy as jnp
import numpy as np
import pytest

from tcam_jax.losses.schedule import is_on, is_scheduled, weight_at


@pytest.mark.parametrize(
    ("settings", "expected"),  # in epochs 1 to 6 of 6
    [
        ({"weight": 2.0}, [2, 2, 2, 2, 2, 2]),
        ({"weight": 2.0, "start_epoch": 3}, [0, 0, 2, 2, 2, 2]),
        ({"weight": 2.0, "start_epoch": 2, "end_epoch": 4}, [0, 2, 2, 2, 0, 0]),
        ({"weight": 0.0, "final_weight": 10.0}, [0, 2, 4, 6, 8, 10]),
        ({"weight": 4.0, "final_weight": 0.0, "start_epoch": 2}, [0, 4, 3, 2, 1, 0]),
        ({"weight": 1.0, "final_weight": 3.0, "end_epoch": 3}, [1, 2, 3, 0, 0, 0]),
        ({"weight": 1.0, "final_weight": 3.0, "start_epoch": 6}, [0, 0, 0, 0, 0, 1]),
    ],
)
def test_weights(settings, expected):
    weights = [float(weight_at(settings, jnp.int32(epoch), 6)) for epoch in range(1, 7)]
    np.testing.assert_allclose(weights, expected, rtol=1e-6)


def test_off_and_scheduled():
    assert not is_on({"weight": 0.0, "final_weight": None})
    assert is_on({"weight": 0.0, "final_weight": 1.0})
    assert is_on({"weight": -1.0})
    assert not is_scheduled({"weight": 3.0, "adaptive": True, "start_epoch": 1})
    assert is_scheduled({"weight": 3.0, "end_epoch": 2})
