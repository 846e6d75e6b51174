"""What both training steps need of a TPU slice, compiled ahead of time on a machine without TPUs.

libtpu compiles for a slice that is only described. Nothing is allocated and nothing runs: shapes
go in; memory, operations and the all-reduces of the compiled program come out.
"""

import re
from importlib.util import find_spec
from math import prod
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
from jax.experimental import topologies
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import PyTree
from ml_collections import ConfigDict

from tcam_jax.benchmark.flop_count import count_flops
from tcam_jax.benchmark.training import training
from tcam_jax.models.tcam import variable_shapes
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.parallel import AXIS, Parallel

_BYTES = {"f64": 8, "s64": 8, "f32": 4, "s32": 4, "u32": 4, "bf16": 2, "f16": 2, "u8": 1, "pred": 1}
_ALL_REDUCE = re.compile(r"^\s*(?:ROOT )?\S+ = (.*?) all-reduce(?:-start)?\(", re.MULTILINE)


def topology_devices(name: str) -> list[jax.Device]:
    """Return the described devices of a slice, such as "v4:2x2x4" (16 chips) or "v5e:2x4" (8).

    Raises:
      InputError: libtpu is not installed, or does not know the slice.
    """
    if find_spec("libtpu") is None:
        raise InputError(
            'compiling for TPUs needs libtpu, of the version of jax: pip install "jax[tpu]" '
            "(no TPU is needed)"
        )
    # Both cores of a v4 chip as one device, as they are on real ones; libtpu's default is two.
    options = {"chip_config_name": "megacore"} if name.startswith("v4:") else {}
    try:
        return topologies.get_topology_desc(platform="tpu", topology_name=name, **options).devices
    except jax.errors.JaxRuntimeError as error:
        reason = str(error).splitlines()[0].partition(": ")[2]
        raise InputError(
            f"libtpu did not describe the slice {name!r}: {reason} "
            "(names are such as v4:2x2x4 or v5e:2x4; one process at a time can use libtpu)"
        ) from None


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


def figures(traced: jax.stages.Traced) -> dict[str, int | float]:
    """Compile a traced step, and read the program of one device.

    Returns:
      `hbm_bytes`, what that device's memory must hold: `argument_bytes` (state, frozen weights,
      batch; results take the place of the old state), `temp_bytes` and the program itself;
      `counted_flops`, see `count_flops`; `xla_flops` and `xla_bytes`, the compiler's estimates,
      which take the body of a loop once; `all_reduces` and `all_reduce_bytes`, how many there are,
      and the size of all their results.
    """
    compiled = traced.lower().compile()
    memory, cost = compiled.memory_analysis(), compiled.cost_analysis()
    # Not its peak_memory_in_bytes, which leaves arguments out.
    held = memory.argument_size_in_bytes + memory.temp_size_in_bytes
    held += memory.output_size_in_bytes - memory.alias_size_in_bytes
    sizes = all_reduce_bytes(compiled.as_text())
    return {
        "hbm_bytes": held + memory.generated_code_size_in_bytes,
        "argument_bytes": memory.argument_size_in_bytes,
        "temp_bytes": memory.temp_size_in_bytes,
        "counted_flops": count_flops(traced.jaxpr.jaxpr),
        "xla_flops": cost["flops"],
        "xla_bytes": cost["bytes accessed"],
        "all_reduces": len(sizes),
        "all_reduce_bytes": sum(sizes),
    }


def all_reduce_bytes(hlo: str) -> list[int]:
    """Return the bytes that each all-reduce of a compiled program's text gives a device.

    One inside a loop is in the text once.
    """
    return [
        sum(
            _BYTES[dtype] * prod(int(n) for n in shape.split(",") if n)
            for dtype, shape in re.findall(r"(\w+)\[([\d,]*)\]", found)
        )
        for found in _ALL_REDUCE.findall(hlo)
    ]
