"""An encoder that stage 1 leaves as it is: a factor of 0 for all of its learning rates.

Parameters alone do not make an encoder: batch norm's statistics, which no learning rate holds back,
would follow the frames that stage 1 sees, and features with them. A frozen encoder is therefore run
as in evaluation, as stage 2 does, and no gradient of it is computed.
"""

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
    patterns = [pattern for pattern, factor in config.multipliers if not factor]
    paths = flatten_dict({part: params[part]}, sep="/")
    return all(any(re.search(pattern, path) for pattern in patterns) for path in paths)
