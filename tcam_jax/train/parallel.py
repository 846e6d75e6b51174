"""The only file that knows devices: spreads the pure step over them in one of three ways.

`pmap` (default) and `shard_map` run the step per device, against the axis named "data"; `jit` lets
the compiler split the step written for the whole batch. All three give the same numbers.
"""

from collections.abc import Callable, Mapping

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

AXIS = "data"
Step = Callable[[PyTree, PyTree, PyTree], tuple[PyTree, PyTree]]


class Parallel:
    """How one process's devices share the work.

    Args:
      mode: "pmap", "shard_map" or "jit".
      devices: the devices to use; all of them by default.
    """

    def __init__(self, mode: str, devices: list[jax.Device] | None = None):
        self.mode = mode
        self.devices = devices or jax.devices()
        # Explicit axis types (jax's new default) would reject arrays that are not yet sharded.
        self.mesh = Mesh(np.array(self.devices), (AXIS,))
        self.replicated = NamedSharding(self.mesh, PartitionSpec())
        self._split = NamedSharding(self.mesh, PartitionSpec(AXIS))

    @property
    def axis_name(self) -> str | None:
        """The axis that the step must reduce over; None where the step sees the whole batch."""
        return None if self.mode == "jit" else AXIS

    def place(self, tree: PyTree) -> PyTree:
        """Copy `tree` to every device; once after init or restore, else the step compiles twice."""
        return jax.device_put(tree, self.replicated)

    def shard(self, batch: Mapping[str, np.ndarray]) -> dict[str, jax.Array]:
        """Split a host batch, whose size the devices divide, along its first axis."""
        if self.mode == "pmap":
            count = len(self.devices)
            batch = {name: x.reshape(count, -1, *x.shape[1:]) for name, x in batch.items()}
        return jax.device_put(dict(batch), self._split)

    def divisible(self, batch_size: int) -> int:
        """Return the smallest batch size >= `batch_size` that the devices divide."""
        return -(-batch_size // len(self.devices)) * len(self.devices)

    def shard_flat(self, batch: Mapping[str, np.ndarray]) -> dict[str, jax.Array]:
        """Split a host batch for functions compiled by plain `jax.jit`, such as evaluation."""
        return jax.device_put(dict(batch), self._split)

    def compile(self, step: Step) -> Step:
        """Map `step(state, frozen, batch) -> (state, metrics)` over the devices.

        The state is donated: the caller must use the returned one. Metrics come back replicated.
        """
        if self.mode == "jit":
            return jax.jit(step, donate_argnums=0, out_shardings=self.replicated)
        if self.mode == "pmap":
            return jax.pmap(
                step,
                axis_name=AXIS,
                in_axes=(None, None, 0),
                out_axes=None,
                devices=self.devices,
                donate_argnums=0,
            )
        mapped = jax.shard_map(
            step,
            mesh=self.mesh,
            in_specs=(PartitionSpec(), PartitionSpec(), PartitionSpec(AXIS)),
            out_specs=PartitionSpec(),
            # The default check rejects custom_vjp and changes what grad of replicated values means.
            check_vma=False,
        )
        return jax.jit(mapped, donate_argnums=0)
