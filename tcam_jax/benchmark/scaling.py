"""What both training steps need of a TPU slice or of H100s, compiled on a machine without them.

Compilers make programs for devices that are only described. Nothing is allocated and nothing runs:
shapes go in; memory, operations and the all-reduces of the compiled program come out.
"""

from collections.abc import Mapping
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import PyTree
from ml_collections import ConfigDict

from tcam_jax.benchmark.flop_count import count_flops
from tcam_jax.benchmark.program_text import all_reduce_bytes, kernels
from tcam_jax.benchmark.training import training
from tcam_jax.models.tcam import variable_shapes
from tcam_jax.runtime.parallel import AXIS, Parallel


def batch_shapes(config: ConfigDict, stage: str, size: int, parallel: Parallel) -> dict[str, Any]:
    """Return the shapes of one microbatch of `size`, split over the devices as in training."""
    t = 1
    if stage == "tcam":
        window = config.tcam.window
        t += window.n * (2 if window.mode == "before_after" else 1)
    pixels = config.dataset.resize
    shapes = {
        "frames": ((size, t, pixels, pixels, 3), jnp.uint8),
        "valid": ((size, t), jnp.bool_),
        "label": ((size,), jnp.int32),
        "slot": ((size,), jnp.int32),
    }
    split = NamedSharding(parallel.mesh, PartitionSpec(None, AXIS))
    return {
        name: jax.ShapeDtypeStruct((1, *shape), dtype, sharding=split)
        for name, (shape, dtype) in shapes.items()
    }


def trace_step(
    config: ConfigDict, stage: str, devices: list[jax.Device], batch_per_device: int
) -> jax.stages.Traced:
    """Trace one training step of `stage` over all `devices`, with shard_map, as training does.

    Stage 2 gets two frozen classifiers: of the encoder, and of the seeds.
    """
    parallel = Parallel("shard_map", devices)
    built = training(config, stage, parallel.axis_name, seeds_apart=True)
    variables = variable_shapes(built.model, config.dataset.crop)
    state = jax.eval_shape(built.state, variables)
    frozen = built.frozen(variables)

    def replicated(tree: PyTree) -> PyTree:
        return jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=parallel.replicated), tree
        )

    batch = batch_shapes(config, stage, batch_per_device * len(devices), parallel)
    # The CRF chooses its kernel by the machine that traces; here that is not the one that trains.
    with mock.patch.object(jax, "default_backend", lambda: devices[0].platform):
        return parallel.compile(built.step).trace(replicated(state), replicated(frozen), batch)


def figures(
    traced: jax.stages.Traced, options: Mapping[str, bool] | None = None
) -> dict[str, int | float]:
    """Compile a traced step, and read the program of one device.

    Args:
      traced: see `trace_step`.
      options: of the compiler, see `described.COMPILER_OPTIONS`.

    Returns:
      `hbm_bytes`, what that device's memory must hold: `argument_bytes` (state, frozen weights,
      batch; results take the place of the old state), `temp_bytes` and the program itself;
      `counted_flops`, see `count_flops`; `moved_bytes`, the compiler's estimate if it gives one,
      else that of `program_text.kernels`, both with the body of a loop once; `kernels`, how many
      operations run; `all_reduces` and `all_reduce_bytes`, how many there are, and the size of all
      their results.
    """
    compiled = traced.lower().compile(dict(options or {}))
    memory, cost, text = compiled.memory_analysis(), compiled.cost_analysis(), compiled.as_text()
    # Not its peak_memory_in_bytes, which leaves arguments out.
    held = memory.argument_size_in_bytes + memory.temp_size_in_bytes
    held += memory.output_size_in_bytes - memory.alias_size_in_bytes
    sizes, run = all_reduce_bytes(text), kernels(text)
    return {
        "hbm_bytes": held + memory.generated_code_size_in_bytes,
        "argument_bytes": memory.argument_size_in_bytes,
        "temp_bytes": memory.temp_size_in_bytes,
        "counted_flops": count_flops(traced.jaxpr.jaxpr),
        "moved_bytes": cost["bytes accessed"] if cost else run.bytes,
        "kernels": run.count,
        "all_reduces": len(sizes),
        "all_reduce_bytes": sum(sizes),
    }
