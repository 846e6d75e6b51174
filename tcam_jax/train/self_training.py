"""Self-training: from a step on, seeds are drawn from the network's own maps in place of CAMs.

The teacher is the moving average of the parameters, with the decoder's running statistics: what is
validated and exported. It decodes the features that the frozen encoder has made of the labelled
frames, a frame each, without pooling over time: one more forward pass of the decoder, from that
step on alone, and no gradient.

Its map is z, foreground logit - background logit, scaled to 0..1 within the frame as CAMs are.
Otsu's threshold of it is then that of the logits, by which such maps get their boxes where none
was drawn (`evaluate.logit_map`).

Source:
  The teacher: Tarvainen & Valpola, "Mean teachers are better role models", NeurIPS 2017.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float
from ml_collections import ConfigDict

from tcam_jax.cams.normalise import min_max
from tcam_jax.models.tcam import TCAM
from tcam_jax.pseudo_labels.windows import ChooseMaps
from tcam_jax.runtime.log import log
from tcam_jax.train.state import TrainState


def first_own_step(config: ConfigDict, num_steps: int) -> int:
    """Return after how many steps of a training of `num_steps` seeds come from own maps.

    It is `num_steps` where they never do; between never and from the beginning, one at least.
    """
    start = config.tcam.seeds.self_training_start
    if start in (0, 1):
        return round(start * num_steps)
    return max(1, min(round(start * num_steps), num_steps - 1))


def tell(config: ConfigDict, num_steps: int) -> None:
    """Log from which step on the network teaches itself, if it ever does."""
    first = first_own_step(config, num_steps)
    if first < num_steps:
        text = "tcam: from step %d of %d on, seeds are drawn from the network's own maps"
        log.info(text, first + 1, num_steps)


def own_maps_from(
    state: TrainState, *, config: ConfigDict, model: TCAM, num_steps: int, target: int
) -> ChooseMaps | None:
    """Return what puts the teacher's maps in the place of CAMs from a step on; None: never.

    Args:
      state: before the step; its evaluated variables are the teacher's.
      config, model: the run's.
      num_steps: of the training.
      target: position of the target frame on the t axis.
    """
    first = first_own_step(config, num_steps)
    if first >= num_steps:
        return None
    teacher = model.clone(train_localiser=False)  # running statistics, which it leaves alone

    def choose(features: Mapping[str, Array], maps: Float[Array, "f h w"]) -> Array:
        def own() -> Array:
            labelled = jax.tree.map(lambda x: _of_labelled(x, len(maps), target), features)
            size = maps.shape[1:]
            logits = teacher.apply(state.variables, labelled, size, method="localise")
            logits = logits.astype(maps.dtype)
            return jax.vmap(min_max)(logits[..., 1] - logits[..., 0])

        return lax.cond(state.step >= first, own, lambda: maps)

    return choose


def _of_labelled(feature: Array, labelled: int, target: int) -> Array:
    """Return a feature of the labelled frames, given theirs or that of their whole windows."""
    if len(feature) == labelled:
        return feature
    return jnp.reshape(feature, (labelled, -1, *feature.shape[1:]))[:, target]
