"""Steps that train nothing, in the place of a stage's: what is left is what is around them."""

import time

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from tcam_jax.runtime.parallel import Parallel, Step
from tcam_jax.train.state import TrainState


def null_step(step: Step) -> Step:
    """Return a step like `step` that changes nothing but the state's counter.

    It gives the metrics of `step`, every one of them 1, and tells of no skipped step.

    Args:
      step: of `train.step`, with all but (state, frozen, batch) given.
    """

    def null(state: PyTree, frozen: PyTree, batch: PyTree) -> tuple[PyTree, PyTree]:
        # Traced here, where the axis is known over which it reduces.
        _, shapes = jax.eval_shape(step, state, frozen, batch)
        metrics = jax.tree.map(lambda x: jnp.ones(x.shape, x.dtype), shapes)
        in_a_row, count = metrics["skipped_in_a_row"]
        metrics["skipped_in_a_row"] = (jnp.zeros_like(in_a_row), count)
        return state.replace(step=state.step + 1), metrics

    return null


def with_momentum(state: TrainState) -> TrainState:
    """Return `state` with noise in the optimiser's floats, which null steps leave as they are.

    Checkpoints are compressed: of the zeros that they would have, nothing would be written.
    """
    rng = np.random.default_rng(0)

    def noise(x: jax.Array) -> jax.Array | np.ndarray:
        if not jnp.issubdtype(x.dtype, jnp.floating):
            return x
        return rng.standard_normal(x.shape, np.float32).astype(x.dtype)

    return state.replace(opt_state=jax.tree.map(noise, state.opt_state))


class Paced(Parallel):
    """`Parallel` whose compiled step keeps its caller for some time, and no processor.

    So does an accelerator's once it is the slowest: the host can use the time for other things.

    Args:
      mode, devices, accumulation: as of `Parallel`.
      milliseconds: how long.

    Attributes:
      seconds: how long it was in all; a little more, since sleepers wake up late.
    """

    def __init__(
        self,
        mode: str,
        devices: list[jax.Device] | None = None,
        accumulation: int = 1,
        milliseconds: float = 0.0,
    ):
        super().__init__(mode, devices, accumulation)
        self._milliseconds, self.seconds = milliseconds, 0.0

    def with_accumulation(self, accumulation: int) -> "Paced":
        """See `Parallel`; its seconds begin at 0."""
        return Paced(self.mode, self.devices, accumulation, self._milliseconds)

    def compile(self, step: Step) -> Step:
        """See `Parallel`."""
        compiled = super().compile(step)

        def paced(state: PyTree, frozen: PyTree, batch: PyTree) -> tuple[PyTree, PyTree]:
            result = compiled(state, frozen, batch)
            if self._milliseconds:
                start = time.monotonic()
                time.sleep(1e-3 * self._milliseconds)
                self.seconds += time.monotonic() - start
            return result

        return paced
