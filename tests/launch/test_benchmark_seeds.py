import pytest

from tcam_jax.benchmark.seed_quality import OVER_TIME, WITH_MOTION, seed_quality
from tcam_jax.config.record import load_config
from tcam_jax.runtime.interruption import Interruption


@pytest.mark.slow
def test_the_seeds_of_a_run_are_measured(trained):
    config = load_config(trained)
    config.dataset.config = "train_boxes"
    far = "n = 4, mean, along the flow"
    rows = {far: OVER_TIME[far]} | dict([*WITH_MOTION.items()][:1])
    found = seed_quality(config, trained, rows, 1, Interruption())
    assert found.keys() == rows.keys()
    for row in found.values():
        assert all(0 <= value <= 100 for value in row.values()), row
    assert len({tuple(row.values()) for row in found.values()}) > 1
