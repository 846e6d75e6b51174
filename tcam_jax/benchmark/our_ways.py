"""Our side of `launch.benchmark`: every step and call, compiled ahead of time, with its figures."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from tcam_jax.benchmark.case import (
    CLASSIFIER_STEP,
    CRF,
    EVALUATION,
    NUM_CLASSES,
    TCAM_STEP,
    WITHOUT,
    Case,
    cam_way,
    inference_way,
)
from tcam_jax.benchmark.ceiling import ceilings
from tcam_jax.benchmark.flop_count import count_flops
from tcam_jax.benchmark.sides import Prepared, Way
from tcam_jax.benchmark.training import training
from tcam_jax.evaluate.level_boxes import level_boxes
from tcam_jax.evaluate.maps import TCAM_PROBABILITY, make_forward
from tcam_jax.losses.inputs import LossInputs
from tcam_jax.losses.objective import objective, settings_at
from tcam_jax.models import cpu
from tcam_jax.models.tcam import Variables, for_inference, init_variables
from tcam_jax.runtime.cores import usable_cores
from tcam_jax.runtime.parallel import Parallel
from tcam_jax.train.stages import make_model


def prepare(case: Case) -> Prepared:
    """Compile everything that `case` asks for.

    Figures: "machine", see `benchmark.ceiling`, and for each way what `_figures` tells.
    """
    config = case.config
    model = make_model(config, NUM_CLASSES)
    variables = init_variables(model, jax.random.key(0), config.dataset.crop)
    prepared = for_inference(model, variables)
    ways: dict[str, Way] = {}
    figures: dict[str, Any] = {
        "machine": {
            "device": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
            "platform": jax.default_backend(),
            **ceilings(config.precision),
        }
    }

    def add(
        name: str,
        function: Any,
        call: Callable[[Any], Way],
        *arguments: Any,
        frames: int = case.batch,
    ) -> None:
        compiled, figures[name] = _compile(function, *arguments)
        figures[name]["frames"] = frames
        ways[name] = call(compiled)

    def add_step(name: str, config: ConfigDict, stage: str) -> None:
        parallel = Parallel("shard_map")  # pmap's program, but pmap tells no figures of it
        built = training(config, stage, parallel.axis_name)
        batch = parallel.shard(case.windows(stage))
        # A copy: the step is given its state to write over.
        state = jax.tree.map(lambda x: parallel.replicate(np.array(x)), built.state(variables))
        frozen = parallel.replicate(built.frozen(variables))
        step = parallel.compile(built.step)
        add(name, step, lambda f: _Steps(f, state, frozen, batch), state, frozen, batch)

    if "steps" in case.parts:
        add_step(CLASSIFIER_STEP, config, "classifier")
        add_step(TCAM_STEP, config, "tcam")
    if "losses" in case.parts:
        for loss, name in WITHOUT.items():
            without = config.copy_and_resolve_references()
            without.tcam.losses[loss].weight = 0.0
            add_step(name, without, "tcam")
    if "crf" in case.parts:
        add(CRF, *_crf(case))
    for batch in case.inference_batches() if "inference" in case.parts else ():
        arguments = _call_arguments(case, prepared, batch)
        forward = make_forward(model, (TCAM_PROBABILITY,))
        call = partial(_to_host, arguments)
        add(inference_way(batch), forward, call, *arguments, frames=batch)
    arguments = _call_arguments(case, prepared, case.batch)
    for method in case.cam_methods() if "cams" in case.parts else ():
        forward = make_forward(model, (method,))
        add(cam_way(method), forward, partial(_to_host, arguments), *arguments)
    if "evaluation" in case.parts:
        forward = make_forward(model, (TCAM_PROBABILITY,))
        add(EVALUATION, forward, partial(_evaluation, arguments), *arguments)
    return Prepared(ways, figures)


class _Steps:
    """Steps one after the other from one state, on one batch."""

    def __init__(self, step: Callable, state: Any, frozen: Any, batch: Any):
        self._step, self._state, self._frozen, self._batch = step, state, frozen, batch

    def __call__(self) -> None:
        self._state, metrics = self._step(self._state, self._frozen, self._batch)
        jax.block_until_ready((self._state, metrics))


def _compile(function: Any, *arguments: Any) -> tuple[Callable, dict[str, Any]]:
    """Compile a jitted function for these arguments, and tell what of.

    Figures: `compile_s`, seconds; `flops`, counted, see `benchmark.flop_count`; `xla_flops` and
    `xla_bytes`, the compiler's estimates, which take the body of a loop once; `working_bytes`,
    memory beside arguments and results.
    """
    start = time.perf_counter()
    traced = function.trace(*arguments)
    compiled = traced.lower().compile()
    seconds = time.perf_counter() - start
    cost = compiled.cost_analysis()
    # The same for every device: Winograd's products count as the convolutions they replace.
    with cpu.traced_for("cuda"):
        flops = count_flops(function.trace(*arguments).jaxpr.jaxpr)
    return compiled, {
        "compile_s": seconds,
        "flops": flops,
        "xla_flops": cost["flops"],
        "xla_bytes": cost["bytes accessed"],
        "working_bytes": compiled.memory_analysis().temp_size_in_bytes,
    }


def _call_arguments(case: Case, variables: Variables, batch: int) -> tuple:
    frames = case.frames(batch, size=case.config.dataset.crop)
    return variables, frames, np.arange(batch, dtype=np.int32) % NUM_CLASSES


def _to_host(arguments: tuple, forward: Callable) -> Way:
    return lambda: jax.device_get(forward(*arguments))


def _evaluation(arguments: tuple, forward: Callable) -> Way:
    def evaluate() -> None:
        maps = jax.device_get(forward(*arguments)).maps[0]
        with ThreadPoolExecutor(usable_cores()) as pool:  # as `evaluate.split` does
            for boxes in pool.map(level_boxes, maps):
                boxes.largest_boxes()

    return evaluate


def _crf(case: Case) -> tuple:
    crop = case.config.dataset.crop
    losses = {"crf": settings_at(case.config.tcam.losses, crop)["crf"]}
    images, logits = case.crf_arguments()
    seeds = np.zeros(logits.shape[:3], np.int32)

    def energy(logits: jax.Array, images: jax.Array) -> jax.Array:
        return objective(LossInputs(logits, images, seeds, np.float32(1)), losses)[0]

    arguments = jax.device_put((logits, images))

    def call(energy_and_gradient: Callable) -> Way:
        return lambda: jax.block_until_ready(energy_and_gradient(*arguments))

    return jax.jit(jax.value_and_grad(energy)), call, *arguments
