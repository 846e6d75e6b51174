"""How far the classifier that gives the seeds displaces things, from the frames of a run."""

import jax
import numpy as np
from ml_collections import ConfigDict

from tcam_jax.cams.displacement import Displacement, correlation, displacement
from tcam_jax.data.protocol import Data
from tcam_jax.evaluate.maps import PREDICTED, make_forward
from tcam_jax.evaluate.walk import inputs_of
from tcam_jax.models.tcam import TCAM, Variables, for_inference
from tcam_jax.runtime import processes
from tcam_jax.runtime.interruption import Interruption
from tcam_jax.runtime.log import log
from tcam_jax.runtime.parallel import Parallel


def seed_displacement(
    config: ConfigDict,
    data: Data,
    parallel: Parallel,
    model: TCAM,
    variables: Variables,
    stop: Interruption,
) -> Displacement:
    """Look at the validation frames, without their labels and boxes. All processes call it.

    Args:
      config, data, parallel: the run's.
      model: in evaluation's form.
      variables: of the classifier that gives the seeds, on this process's devices.
      stop: asked between batches.
    """
    variables = for_inference(model, variables)
    forward = make_forward(model, (config.tcam.cam_method,), parallel=parallel)
    fit = jax.jit(correlation)
    batch_size, rows = parallel.evaluation_rows(config.eval.batch_size)
    size = config.dataset.crop
    correlated = np.zeros((size, size))
    for batch in stop.between(data.frames("validation", batch_size, rows)):
        classes = np.full(len(batch["record"]), PREDICTED, np.int32)
        real = (batch["record"] >= 0)[:, None, None]  # what fills up a batch becomes flat
        maps = []
        for frames in (batch["frames"], batch["frames"][:, ::-1, ::-1]):
            inputs = inputs_of({"frames": frames}, classes, parallel.shard_flat)
            levels = forward(variables, *inputs).maps[0]
            maps.append(np.where(real, jax.device_get(levels), 0).astype(np.float32))
        correlated += np.asarray(fit(maps[0], maps[1][:, ::-1, ::-1]))
    found = displacement(processes.all_reduce_sum(correlated))
    log.info(
        "tcam: CAMs show things %+.1f px down and %+.1f px right of where they are, of %d; seeds "
        "are moved back",
        found.down * size,
        found.right * size,
        size,
    )
    return found
