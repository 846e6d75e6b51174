"""A small config and batches of random frames, with very different devices."""

import pytest

from tests.train import device_matrix


@pytest.fixture
def config():
    return device_matrix.small_config()


@pytest.fixture
def make_batch(config):
    """Return (step, t) -> batch of 16 windows."""
    return lambda step, t: device_matrix.make_batch(step, t, config.dataset.resize)
