"""What changes while training, in one pytree."""

from collections.abc import Mapping

import flax.struct
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int, PyTree

from tcam_jax.models.tcam import Variables


@flax.struct.dataclass
class TrainState:
    """Everything a step reads and writes; learning rate, barrier and data follow from it.

    Attributes:
      step: finished steps, int32 scalar; skipped ones count.
      data_offset: batches left out by a rollback: the next batch is number step + data_offset.
      skipped: steps skipped because the loss or its gradient was not finite.
      skipped_in_a_row: of these, the ones just before this step.
      params: trained parameters.
      average: their exponential moving average, which is evaluated in their place; None: there is
        none.
      batch_stats: running statistics of the trained part's batch norm.
      opt_state: the optimiser's state.
    """

    step: PyTree
    data_offset: PyTree
    skipped: PyTree
    skipped_in_a_row: PyTree
    params: PyTree
    average: PyTree
    batch_stats: PyTree
    opt_state: PyTree

    @property
    def _evaluated(self) -> str:
        return "params" if self.average is None else "average"

    @property
    def variables(self) -> Variables:
        """The trained part's variables to be evaluated, as linen modules take them."""
        return {"params": getattr(self, self._evaluated), "batch_stats": self.batch_stats}

    @property
    def rest(self) -> dict[str, PyTree]:
        """What is not in `variables`, by name."""
        elsewhere = (self._evaluated, "batch_stats")
        return {
            name: value
            for name, value in vars(self).items()
            if name not in elsewhere and value is not None
        }

    def with_arrays(self, variables: Variables, rest: Mapping[str, PyTree]) -> "TrainState":
        """Return this state with the arrays of another's `variables` and `rest`."""
        given = {self._evaluated: variables["params"], "batch_stats": variables["batch_stats"]}
        return self.replace(**given, **rest)

    @property
    def batch_number(self) -> Int[Array, ""]:
        """The number of the next batch, from 0."""
        return self.step + self.data_offset


def create_state(
    variables: Variables, optimizer: optax.GradientTransformation, ema: float = 0.0
) -> TrainState:
    """Start training `variables` ({"params", "batch_stats"}) from step 0; `ema`: see the config."""
    counters = ("step", "data_offset", "skipped", "skipped_in_a_row")
    return TrainState(
        # An array each: the state is donated, and no buffer can be given away twice.
        **{name: jnp.zeros((), jnp.int32) for name in counters},
        params=variables["params"],
        average=jax.tree.map(jnp.array, variables["params"]) if ema else None,
        batch_stats=variables["batch_stats"],
        opt_state=jax.jit(optimizer.init)(variables["params"]),
    )
