"""The only file that knows devices: spreads the pure step over them in one of three ways.

`pmap` and `shard_map` run the step per device, against the axis named "data"; `jit` lets the
compiler split the step written for the whole batch. All three give the same numbers, on the devices
of one process or of several; `auto` takes one of them, as docs/distributed.md explains.

A step takes a batch of m microbatches, `[m, b, ...]`, b over all devices being B / m. Microbatch i
has the global slots i B/m to (i + 1) B/m - 1, in order over the devices, so the update does not
depend on how many devices there are.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

AXIS = "data"
Step = Callable[[PyTree, PyTree, PyTree], tuple[PyTree, PyTree]]
Forward = Callable[..., Any]

_AHEAD = 2  # batches on their way to the devices while a step runs


class Parallel:
    """How the devices of all processes share the work.

    Args:
      mode: "pmap", "shard_map" or "jit"; "auto": "pmap" in one process, "shard_map" in several.
      devices: the devices to use; those of all processes by default.
      accumulation: m, microbatches in a batch.

    Attributes:
      mode: the one taken.
    """

    def __init__(self, mode: str, devices: list[jax.Device] | None = None, accumulation: int = 1):
        if mode == "auto":
            # In several processes pmap goes through all of its arrays in Python at every step.
            mode = "pmap" if jax.process_count() == 1 else "shard_map"
        self.mode, self.accumulation = mode, accumulation
        # A process's devices side by side: its part of a batch is then one piece.
        self.devices = sorted(devices or jax.devices(), key=lambda d: (d.process_index, d.id))
        # Explicit axis types (jax's new default) would reject arrays that are not yet sharded.
        self.mesh = Mesh(np.array(self.devices), (AXIS,))
        self._local = [d for d in self.devices if d.process_index == jax.process_index()]
        self._here = here = Mesh(np.array(self._local), (AXIS,))
        # pmap of several processes takes and gives each process's own arrays.
        self._trained_on = here if mode == "pmap" else self.mesh
        self.replicated = NamedSharding(self._trained_on, PartitionSpec())
        leading = PartitionSpec(AXIS) if mode == "pmap" else PartitionSpec(None, AXIS)
        self._microbatches = NamedSharding(self._trained_on, leading)
        self._local_replicated = NamedSharding(here, PartitionSpec())
        self._local_split = NamedSharding(here, PartitionSpec(AXIS))

    @property
    def axis_name(self) -> str | None:
        """The axis that the step must reduce over; None where the step sees the whole batch.

        Over one device, XLA for CPUs would copy whatever is reduced.
        """
        return None if self.mode == "jit" or len(self.devices) == 1 else AXIS

    def with_accumulation(self, accumulation: int) -> "Parallel":
        """Return the same mode and devices with another number of microbatches."""
        return Parallel(self.mode, self.devices, accumulation)

    def replicate(self, tree: PyTree) -> PyTree:
        """Copy `tree` to every device; once after init or restore, else the step compiles twice."""
        if self.replicated.is_fully_addressable:
            return jax.device_put(tree, self.replicated)

        def everywhere(leaf: jax.Array | np.ndarray) -> jax.Array:
            if isinstance(leaf, jax.Array) and leaf.sharding == self.replicated:
                return leaf
            host = np.asarray(leaf)  # the same in all processes
            return jax.make_array_from_callback(host.shape, self.replicated, lambda _: host)

        return jax.tree.map(everywhere, tree)

    def slots(self, batch_size: int) -> np.ndarray:
        """Return the global slots of this process's part of a batch, int `[b here]`.

        Microbatch by microbatch, and in each device by device: the order that `shard` expects.
        """
        m, count = self.accumulation, len(self.devices)
        slots = np.arange(batch_size).reshape(m, count, -1)
        here = [i for i, device in enumerate(self.devices) if device in self._local]
        return slots[:, here].reshape(-1)

    def shard(self, batch: Mapping[str, np.ndarray]) -> dict[str, jax.Array]:
        """Put this process's part of a batch, in the order of `slots`, on its devices."""
        m, count = self.accumulation, len(self._local)
        if self.mode == "pmap":
            parts = {
                name: x.reshape(m, count, -1, *x.shape[1:]).swapaxes(0, 1)
                for name, x in batch.items()
            }
        else:
            parts = {name: x.reshape(m, -1, *x.shape[1:]) for name, x in batch.items()}
        return {
            name: jax.make_array_from_process_local_data(self._microbatches, x)
            for name, x in parts.items()
        }

    def ahead(self, batches: Iterable[Mapping[str, np.ndarray]]) -> Iterator[dict[str, jax.Array]]:
        """Yield the sharded batches; the next ones are copied to the devices during a step."""
        waiting: deque[dict[str, jax.Array]] = deque()
        for batch in batches:
            waiting.append(self.shard(batch))
            if len(waiting) > _AHEAD:
                yield waiting.popleft()
        yield from waiting

    def evaluation_rows(self, batch_size: int) -> tuple[int, slice]:
        """Return the smallest batch size >= `batch_size` that all devices divide, and our part."""
        each = -(-batch_size // len(self.devices))
        first = self.devices.index(self._local[0])
        part = slice(first * each, (first + len(self._local)) * each)
        return each * len(self.devices), part

    def shard_flat(self, batch: Mapping[str, np.ndarray]) -> dict[str, jax.Array]:
        """Split our part of a batch `[b, ...]` over our devices, for plain `jax.jit`."""
        return jax.device_put(dict(batch), self._local_split)

    def replicate_locally(self, tree: PyTree) -> PyTree:
        """Copy `tree` to every device of this process, for evaluation."""
        return jax.device_put(tree, self._local_replicated)

    def local_view(self, tree: PyTree) -> PyTree:
        """Return a placed `tree` as arrays of this process's devices alone, without a copy."""

        def ours(leaf: jax.Array) -> jax.Array:
            shards = [shard.data for shard in leaf.addressable_shards]
            return jax.make_array_from_single_device_arrays(
                leaf.shape, self._local_replicated, shards
            )

        return jax.tree.map(ours, tree)

    def per_device(self, forward: Forward, outputs: PyTree) -> Forward:
        """Return `forward(variables, *batch)` of our devices, each on its part of it, to be jitted.

        Left to the compiler, a loop over samples would gather the whole batch on every device. A
        program without any communication may also be started, from another thread, beside steps.

        Args:
          forward: a function of variables, and of arrays `[b, ...]` as `shard_flat` places them.
          outputs: which axis of each output is b, a tree prefix of integers.
        """
        if len(self._local) == 1:
            return forward

        def mapped(variables: PyTree, *batch: jax.Array) -> PyTree:
            return jax.shard_map(
                forward,
                mesh=self._here,
                in_specs=(PartitionSpec(), *(PartitionSpec(AXIS) for _ in batch)),
                out_specs=jax.tree.map(lambda i: PartitionSpec(*[None] * i, AXIS), outputs),
                check_vma=False,  # as in `compile`
            )(variables, *batch)

        return mapped

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
            in_specs=(PartitionSpec(), PartitionSpec(), PartitionSpec(None, AXIS)),
            out_specs=PartitionSpec(),
            # The default check rejects custom_vjp and changes what grad of replicated values means.
            check_vma=False,
        )
        return jax.jit(mapped, donate_argnums=0)
