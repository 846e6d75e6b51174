"""The variables that training starts from: random ones, or those of `config.model.pretrained`."""

from pathlib import Path

import jax
from ml_collections import ConfigDict

from tcam_jax.models.tcam import TCAM, Variables, init_variables, variable_shapes
from tcam_jax.models.weights.pretrained import Pretrained, adopt, own_tensors
from tcam_jax.models.weights.weight_files import read_tensors
from tcam_jax.runtime.log import log
from tcam_jax.train.checkpoint import read_variables


def initial_variables(config: ConfigDict, model: TCAM, resumed: bool = False) -> Pretrained:
    """Draw the whole network's variables, then take what the configured weights have.

    Args:
      config, model: of the run.
      resumed: a checkpoint will replace what is trained: the file of weights is not needed again.

    Raises:
      InputError: the weights cannot be read, or do not fit the network.
    """
    drawn = init_variables(model, jax.random.key(config.seed), config.dataset.crop)
    if config.precision == "float64":
        drawn = jax.tree.map(lambda x: x.astype(config.precision), drawn)
    if resumed or not config.model.pretrained:
        return Pretrained(drawn, parts=(), left_out=())
    return load_weights(Path(config.model.pretrained), drawn)


def check_weights(config: ConfigDict, model: TCAM) -> None:
    """Read the configured weights, if any, before a run is recorded that could not use them.

    Raises:
      InputError: see `initial_variables`.
    """
    if config.model.pretrained:
        load_weights(Path(config.model.pretrained), variable_shapes(model, config.dataset.crop))


def load_weights(path: Path, variables: Variables) -> Pretrained:
    """Put the weights of a file, or of a checkpoint's folder, into `variables`.

    Raises:
      InputError: they cannot be read, or do not fit.
    """
    tensors = own_tensors(read_variables(path)) if path.is_dir() else read_tensors(path)
    return adopt(variables, tensors, str(path))


def report_weights(initial: Pretrained, parts: tuple[str, ...], source: str) -> None:
    """Log where the variables of `parts` come from."""
    if not source:
        log.warning(
            "config.model.pretrained is empty: %s from random weights. The published recipe starts "
            "from a ResNet trained on ImageNet, see docs/weights.md",
            " and ".join(parts),
        )
        return
    random = [part for part in parts if part not in initial.parts]
    if len(random) < len(parts):
        log.info("weights of %s: %s", source, ", ".join(p for p in parts if p in initial.parts))
    if random:
        log.info("not in %s, from random weights: %s", source, ", ".join(random))
    if initial.left_out:
        log.info("in it and left out: %s", ", ".join(initial.left_out))
