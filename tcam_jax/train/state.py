"""What changes while training, in one pytree."""

import flax.struct
import jax
import jax.numpy as jnp
import optax
from jaxtyping import PyTree

from tcam_jax.models.tcam import Variables


@flax.struct.dataclass
class TrainState:
    """Everything a step reads and writes; the learning rate, barrier and data follow from `step`.

    Attributes:
      step: finished steps, int32 scalar.
      params: trained parameters.
      batch_stats: running statistics of the trained part's batch norm.
      opt_state: the optimiser's state.
    """

    step: PyTree
    params: PyTree
    batch_stats: PyTree
    opt_state: PyTree

    @property
    def variables(self) -> Variables:
        """The trained part's variables, as linen modules take them."""
        return {"params": self.params, "batch_stats": self.batch_stats}


def create_state(variables: Variables, optimizer: optax.GradientTransformation) -> TrainState:
    """Start training `variables` ({"params", "batch_stats"}) from step 0."""
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=variables["params"],
        batch_stats=variables["batch_stats"],
        opt_state=jax.jit(optimizer.init)(variables["params"]),
    )
