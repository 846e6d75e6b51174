"""A small config and batches of random frames, with very different devices."""

import numpy as np
import pytest

from configs import base


@pytest.fixture
def config():
    config = base.get_config()
    config.model.depth = 18
    config.dataset.resize, config.dataset.crop = 36, 32
    for section in (config.classifier, config.tcam):
        section.batch_size = 16
        section.optimizer.learning_rate = 0.01
    config.tcam.losses.crf.weight = 1e-9
    config.tcam.seed_view = "crop"
    return config


@pytest.fixture
def make_batch(config):
    """Return step -> batch of 16 windows; the last three samples are grey all over."""

    def make(step: int, t: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(step)
        size = config.dataset.resize
        frames = rng.integers(0, 256, (16, t, size, size, 3), dtype=np.uint8)
        frames[13:] = 128
        valid = rng.random((16, t)) < 0.5
        valid[:, -1] = True
        return {
            "frames": frames,
            "valid": valid,
            "label": rng.integers(0, 10, 16).astype(np.int32),
            "slot": np.arange(16, dtype=np.int32),
        }

    return make
