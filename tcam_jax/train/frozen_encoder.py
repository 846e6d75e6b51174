"""An encoder that stage 1 leaves as it is: a factor of 0 for all of its learning rates.

Parameters alone do not make an encoder: batch norm's statistics, which no learning rate holds back,
would follow the frames that stage 1 sees, and features with them. A frozen encoder is therefore run
as in evaluation, as stage 2 does, and no gradient of it is computed.
"""

import math
import re

from flax.traverse_util import flatten_dict
from jaxtyping import PyTree
from ml_collections import ConfigDict

from tcam_jax.models.tcam import TCAM, variable_shapes


def classifier_training(config: ConfigDict, model: TCAM) -> dict[str, bool]:
    """Return the fields of the network that stage 1 trains in, see `TCAM`.

    Args:
      config: of the run.
      model: the network.
    """
    settings = config.classifier.optimizer
    frozen = any(not factor for _, factor in settings.multipliers) and freezes(
        settings, variable_shapes(model, config.dataset.crop)["params"], "encoder"
    )
    return {"freeze_encoder": True} if frozen else {"train_classifier": True}


def freezes(config: ConfigDict, params: PyTree, part: str) -> bool:
    """Tell whether an `optimizer` section's multipliers freeze every parameter of a part.

    Args:
      config: the section.
      params: of the network, or their shapes.
      part: such as "encoder".
    """
    return count_trained(config, {part: params[part]}) == 0


def count_trained(config: ConfigDict, params: PyTree) -> int:
    """Return how many numbers of `params` an `optimizer` section's multipliers do not freeze."""
    patterns = [pattern for pattern, factor in config.multipliers if not factor]
    leaves = flatten_dict(params, sep="/")
    return sum(
        math.prod(leaf.shape)
        for path, leaf in leaves.items()
        if not any(re.search(pattern, path) for pattern in patterns)
    )
