"""From microbatches to one update: accumulated gradients, and the guard against what is not finite.

A step that is not finite changes nothing but its counters: parameters, statistics of batch norm and
momentum stay as they were.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array, Float, PyTree

from tcam_jax.train.optimizer import Schedule
from tcam_jax.train.state import TrainState

# Metrics: name -> (sum, count) over the global batch.
Metrics = dict[str, tuple[Array, Array]]


def over_devices(local: PyTree, axis_name: str | None) -> PyTree:
    """Return the sum over the devices of the mapped axis; `local` itself if there is none."""
    return local if axis_name is None else lax.psum(local, axis_name)


def map_microbatches(function: Callable[[PyTree], PyTree], batch: PyTree) -> PyTree:
    """Apply `function` to each of the m microbatches of `batch [m, b, ...]`, one after another."""
    if jax.tree.leaves(batch)[0].shape[0] == 1:  # no loop around the only one
        return jax.tree.map(lambda x: x[None], function(jax.tree.map(lambda x: x[0], batch)))
    return _scan(lambda _, part: (None, function(part)), None, batch)[1]


def _scan(body: Callable[[PyTree, PyTree], tuple], carry: PyTree, batch: PyTree) -> tuple:
    # On CPUs a convolution inside a loop is many times slower than outside. On accelerators the
    # loop makes sure that one microbatch lies in memory at a time.
    m = jax.tree.leaves(batch)[0].shape[0]
    return lax.scan(body, carry, batch, unroll=m if jax.default_backend() == "cpu" else 1)


def accumulate(
    loss: Callable[[PyTree, PyTree, PyTree], tuple[Array, tuple[PyTree, PyTree]]],
    state: TrainState,
    batch: PyTree,
) -> tuple[PyTree, PyTree, PyTree]:
    """Sum the gradients of the microbatches of `batch [m, b, ...]`.

    Args:
      loss: (params, batch_stats, microbatch) -> (its share of the loss, (updated batch_stats,
        sums)). Shares add up to the loss: a microbatch divides by the counts of the whole batch.
      state: params and batch_stats are read; the statistics pass from one microbatch to the next.
      batch: m microbatches.

    Returns:
      This device's gradient, the updated batch_stats, and the total of the sums.
    """
    gradient = jax.grad(loss, has_aux=True)
    first = jax.tree.map(lambda x: x[0], batch)
    if jax.tree.leaves(batch)[0].shape[0] == 1:  # no sums to begin with zeros
        grads, (batch_stats, sums) = gradient(state.params, state.batch_stats, first)
        return grads, batch_stats, sums

    def add(total: tuple, part: PyTree) -> tuple[tuple, None]:
        grads, batch_stats, sums = total
        more, (batch_stats, more_sums) = gradient(state.params, batch_stats, part)
        grads, sums = jax.tree.map(jnp.add, (grads, sums), (more, more_sums))
        return (grads, batch_stats, sums), None

    shapes = jax.eval_shape(gradient, state.params, state.batch_stats, first)
    grads, (_, sums) = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    (grads, batch_stats, sums), _ = _scan(add, (grads, state.batch_stats, sums), batch)
    return grads, batch_stats, sums


def update(
    state: TrainState,
    local_grads: PyTree,
    batch_stats: PyTree,
    loss: Float[Array, ""],
    *,
    optimizer: optax.GradientTransformation,
    schedule: Schedule,
    ema: float,
    axis_name: str | None,
) -> tuple[TrainState, Metrics]:
    """Take one step along the gradient, unless it or the loss is not finite.

    Args:
      state: before the step.
      local_grads: this device's share of the gradient.
      batch_stats: after the step.
      loss: of the global batch.
      optimizer: at learning rate 1, see `train.optimizer.make_optimizer`.
      schedule: finished steps -> learning rate.
      ema: decay of the state's average of the parameters, if it has one; at most
        (1 + s) / (10 + s) in step s.
      axis_name: mapped axis the batch is split over, or None.

    Returns:
      The state after the step, and what every step reports: loss, gradient norm, learning rate,
      how many steps in a row were skipped up to this one.
    """
    grads = over_devices(local_grads, axis_name)
    norm = optax.tree.norm(grads)
    learning_rate = schedule(state.step)
    direction, opt_state = optimizer.update(grads, state.opt_state, state.params)
    updates = jax.tree.map(lambda d: learning_rate.astype(d.dtype) * d, direction)
    params = optax.apply_updates(state.params, updates)
    average = None
    if state.average is not None:
        # Over the first steps the average forgets faster: it began with random numbers.
        average = _blend(
            jnp.minimum(ema, (1 + state.step) / (10 + state.step)), state.average, params
        )
    moved = (params, average, batch_stats, opt_state)
    finite = jnp.isfinite(loss) & jnp.isfinite(norm)
    params, average, batch_stats, opt_state = jax.tree.map(
        lambda new, old: jnp.where(finite, new, old),
        moved,
        (state.params, state.average, state.batch_stats, state.opt_state),
    )
    in_a_row = jnp.where(finite, 0, state.skipped_in_a_row + 1)
    one = jnp.ones(())
    return state.replace(
        step=state.step + 1,
        skipped=state.skipped + (in_a_row > 0),
        skipped_in_a_row=in_a_row,
        params=params,
        average=average,
        batch_stats=batch_stats,
        opt_state=opt_state,
    ), {
        "loss": (loss, one),
        "gradient_norm": (norm, one),
        "learning_rate": (learning_rate, one),
        "skipped_in_a_row": (in_a_row, one),
    }


def _blend(decay: Array, old: PyTree, new: PyTree) -> PyTree:
    return jax.tree.map(lambda x, y: decay * x + (1 - decay) * y, old, new)
