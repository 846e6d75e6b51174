"""What the compiled steps cost, against a stored budget, and that they are compiled once.

No clock: operations and bytes are properties of the program. A change that raises one on purpose
writes the new figures: python -m tests.benchmark.test_compiled_cost
"""

import json
from pathlib import Path

import tests.conftest  # noqa: F401  sets devices and flags before JAX, when called by hand

# isort: split
import jax
import numpy as np
import pytest

from tcam_jax.benchmark import our_ways
from tcam_jax.benchmark.case import Case, inference_way
from tcam_jax.benchmark.training import NUM_CLASSES, STAGES, training
from tcam_jax.config import defaults
from tcam_jax.models.tcam import init_variables
from tcam_jax.runtime.parallel import Parallel
from tcam_jax.train.stages import make_model

BUDGET = Path(__file__).with_name("compiled_cost.json")
BATCH = 8  # a multiple of the devices
# Versions of XLA fuse differently.
TOLERANCE = 1.15


def _case(*parts, encoder="resnet10"):
    config = defaults.get_config()
    config.model.encoder = encoder
    config.dataset.crop, config.dataset.resize = 32, 36
    return Case(config, BATCH, parts)


def _figures():
    figures = our_ways.prepare(_case("steps", "crf", "inference")).figures
    kept = ("flops", "xla_bytes", "working_bytes")
    return {
        way: {name: told[name] for name in kept}
        for way, told in figures.items()
        if way not in ("machine", inference_way(1))
    }


@pytest.mark.slow
def test_no_step_costs_more_than_its_budget(monkeypatch):
    monkeypatch.setattr(our_ways, "ceilings", lambda precision: {})  # seconds of products
    budget, figures = json.loads(BUDGET.read_text()), _figures()
    assert figures.keys() == budget.keys()
    for way, told in figures.items():
        assert told["flops"] == budget[way]["flops"], way
        for name in ("xla_bytes", "working_bytes"):
            assert told[name] <= TOLERANCE * budget[way][name], (way, name)


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_nothing_is_compiled_after_the_first_step(stage, small_encoder):
    case = _case("steps", encoder=small_encoder)
    parallel = Parallel("shard_map")
    variables = init_variables(
        make_model(case.config, NUM_CLASSES), jax.random.key(0), case.config.dataset.crop
    )
    built = training(case.config, stage, parallel.axis_name)
    step = parallel.compile(built.step)
    state, frozen = (
        parallel.replicate(built.state(variables)),
        parallel.replicate(built.frozen(variables)),
    )
    compiled = []
    listener = lambda event, _, **__: compiled.append(event)  # noqa: E731
    counts = []
    jax.monitoring.register_event_duration_secs_listener(listener)
    try:
        for seed in range(3):
            batch = case.windows(stage)
            batch["label"] = np.random.default_rng(seed).permutation(batch["label"])
            state, metrics = step(state, frozen, parallel.shard(batch))
            jax.block_until_ready(metrics)
            counts.append(sum("backend_compile" in event for event in compiled))
    finally:
        jax.monitoring.unregister_event_duration_listener(listener)
    assert counts[0] > 0
    assert counts[1:] == counts[:1] * 2


if __name__ == "__main__":
    BUDGET.write_text(json.dumps(_figures(), indent=1) + "\n")
