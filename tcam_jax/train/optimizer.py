"""SGD with Nesterov momentum and a stepped learning rate, in torch's order of operations."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PyTree
from ml_collections import ConfigDict

Schedule = Callable[[Int[Array, ""]], Float[Array, ""]]

# What the reference trains ten times faster than the rest of the pretrained network.
NEW_LAYERS = ("layer4", "classification_head")


def stepped_schedule(config: ConfigDict, steps_per_epoch: int) -> Schedule:
    """Return step -> learning rate: times `gamma` every `step_epochs` epochs, down to a minimum.

    Args:
      config: an `optimizer` section, see `tcam_jax/config/defaults.py`.
      steps_per_epoch: training steps in an epoch.
    """

    def schedule(step: Int[Array, ""]) -> Float[Array, ""]:
        drops = step // (steps_per_epoch * config.step_epochs)
        return jnp.maximum(config.learning_rate * config.gamma**drops, config.min_learning_rate)

    return schedule


def sgd(config: ConfigDict) -> optax.GradientTransformation:
    """Return SGD as torch applies it, but for the learning rate.

    Weight decay joins the gradient before the momentum, for every parameter (biases and batch norm
    too); `train.update` multiplies by the learning rate afterwards, of the step that the state
    counts: a count of the optimiser's own would stand still at skipped steps. With
    `new_layers_ratio` in the config, the layers named in `NEW_LAYERS` get that multiple of it.
    """
    transforms = [
        optax.add_decayed_weights(config.weight_decay),
        optax.trace(config.momentum, nesterov=True),
    ]
    if "new_layers_ratio" in config:
        transforms.append(optax.masked(optax.scale(config.new_layers_ratio), _is_new))
    return optax.chain(*transforms)


def _is_new(params: PyTree) -> PyTree:
    def matches(path: tuple, _: Array) -> bool:
        return any(key.key.startswith(NEW_LAYERS) for key in path)

    return jax.tree_util.tree_map_with_path(matches, params)
