"""The same parameters whatever the devices: the whole table, as `test_parallel.py` tests a part.

    python -m tests.train.device_matrix

Every mode on 1, 2, 4 and 8 virtual devices, 1 and 2 microbatches, both stages, every loss on, in
float64, against `jit` on one device. About an hour on 2 cores.
"""

import os
import sys
import time
from functools import partial

if __name__ == "__main__":  # under pytest, tests/conftest.py has done it
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ["XLA_FLAGS"] = (
        "--xla_force_host_platform_device_count=8 --xla_backend_optimization_level=0"
    )

import jax
import jax.numpy as jnp
import numpy as np

from tcam_jax.config import defaults
from tcam_jax.models.encoders.registry import backbone
from tcam_jax.models.tcam import CLASSIFIER_PARTS, LOCALISER_PARTS, TCAM, init_variables, select
from tcam_jax.pseudo_labels.seed_maps import FrozenClassifiers
from tcam_jax.runtime.parallel import Parallel
from tcam_jax.train.optimizer import make_optimizer, make_schedule
from tcam_jax.train.state import create_state
from tcam_jax.train.step import classifier_step, tcam_step

STAGES = ("classifier", "tcam")
MODES = ("pmap", "shard_map", "jit")


class Traces:
    """Counts how often a step is traced, that is, compiled."""

    def __init__(self, step):
        self.step, self.count = step, 0

    def __call__(self, *args):
        self.count += 1
        return self.step(*args)


def small_config():
    """ResNet-10, crops of 32 pixels, batches of 16."""
    config = defaults.get_config()
    config.model.encoder = "resnet10"
    config.dataset.resize, config.dataset.crop = 36, 32
    for section in (config.classifier, config.tcam):
        section.batch_size = 16
        section.optimizer.learning_rate = 0.01
    config.tcam.losses.crf.weight = 1e-9
    config.tcam.seed_view = "crop"
    return config


def every_loss_on(config):
    for loss in config.tcam.losses.values():  # some look at whole windows
        loss.weight = loss.weight or 0.01
    return config


def make_batch(step: int, t: int, size: int = 36) -> dict[str, np.ndarray]:
    """Return a batch of 16 windows of random frames; the last three samples are grey all over."""
    rng = np.random.default_rng(step)
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


def train(config, stage, mode, devices, dtype, steps, accumulation=1, frozen_norm=False):
    """Train `steps` steps; return the state, each step's metrics, and how often it was traced."""
    parallel = Parallel(mode, jax.devices()[:devices], accumulation)
    model = TCAM(
        num_classes=10,
        backbone=backbone(config),
        decoder_width=config.model.decoder_width,
        axis_name=parallel.axis_name,
        dtype=dtype,
        train_classifier=stage == "classifier" and not frozen_norm,
        train_localiser=stage == "tcam" and not frozen_norm,
    )
    variables = jax.tree.map(
        lambda x: x.astype(dtype), init_variables(model, jax.random.key(0), config.dataset.crop)
    )
    section = config[stage]
    shared = {
        "config": config,
        "model": model,
        "optimizer": make_optimizer(section.optimizer, model),
        "schedule": make_schedule(section.optimizer, 2, 10),
        "axis_name": parallel.axis_name,
    }
    frozen, parts, t = None, CLASSIFIER_PARTS, 1
    step = partial(classifier_step, **shared)
    if stage == "tcam":
        parts, t = LOCALISER_PARTS, 2
        frozen = FrozenClassifiers(select(variables, CLASSIFIER_PARTS), None)
        step = partial(tcam_step, **shared, steps_per_epoch=2)
    traces = Traces(step)
    mapped = parallel.compile(traces)
    state = create_state(select(variables, parts), shared["optimizer"], section.optimizer.ema)
    state = parallel.replicate(state)
    frozen = parallel.replicate(frozen)
    slots = parallel.slots(section.batch_size)
    metrics = []
    for i in range(steps):
        batch = {name: x[slots] for name, x in make_batch(i, t, config.dataset.resize).items()}
        state, step_metrics = mapped(state, frozen, parallel.shard(batch))
        metrics.append(jax.device_get(step_metrics))
    return state, metrics, traces.count


def difference(state, oracle) -> float:
    """Return the largest |a - b| / max(|b|, 1) over all leaves."""
    return max(
        float((np.abs(np.subtract(a, b)) / np.maximum(np.abs(b), 1)).max())
        for a, b in zip(jax.tree.leaves(state), jax.tree.leaves(oracle), strict=True)
        if np.size(b)
    )


def main() -> None:
    """Print the table; fail where a difference is above 1e-9."""
    jax.config.update("jax_enable_x64", True)
    config, worst = every_loss_on(small_config()), 0.0
    print("| stage | microbatches | mode | devices | largest difference | s |")
    print("| --- " * 6 + "|")
    for stage in STAGES:
        for accumulation in (1, 2):
            oracle, _, _ = train(config, stage, "jit", 1, jnp.float64, 3, accumulation)
            oracle = jax.device_get(oracle)
            for mode in MODES:
                for devices in (1, 2, 4, 8):
                    start = time.monotonic()
                    state, _, traced = train(
                        config, stage, mode, devices, jnp.float64, 3, accumulation
                    )
                    assert traced == 1
                    found = difference(jax.device_get(state), oracle)
                    worst = max(worst, found)
                    seconds = time.monotonic() - start
                    print(
                        f"| {stage} | {accumulation} | {mode} | {devices} | {found:.1e} | "
                        f"{seconds:.0f} |",
                        flush=True,
                    )
                    jax.clear_caches()
    print(f"largest of all: {worst:.1e}")
    sys.exit(worst > 1e-9)


if __name__ == "__main__":
    main()
