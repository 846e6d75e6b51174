"""A validation taken apart: frames read, the network's forward pass, boxes judged."""

import itertools
import time

import jax
import numpy as np
from ml_collections import ConfigDict

from tcam_jax.data.protocol import Data
from tcam_jax.evaluate.maps import make_forward
from tcam_jax.evaluate.split import score_split
from tcam_jax.models.tcam import Variables, for_inference
from tcam_jax.runtime import processes
from tcam_jax.runtime.parallel import Parallel
from tcam_jax.train.stages import make_model

BATCHES = 4


def validation_parts(
    config: ConfigDict, data: Data, parallel: Parallel, variables: Variables, method: str
) -> dict[str, float]:
    """Time the parts one after the other, on the first `BATCHES` batches of the validation split.

    Args:
      config, data, parallel: the run's.
      variables: of the network that is validated, on this process's devices.
      method: whose maps are judged, see `evaluate.maps`.

    Returns:
      Milliseconds a frame: "read", with the start of the pipeline; "forward", its maps on the host
      included; "boxes", which all that the split's scores need takes beyond the forward pass.
    """
    batch_size, rows = parallel.evaluation_rows(config.eval.batch_size)
    model = make_model(config, len(data.class_names))
    variables, forward = for_inference(model, variables), make_forward(model, (method,))

    start = time.perf_counter()
    batches = list(itertools.islice(data.frames("validation", batch_size, rows), BATCHES))
    read = time.perf_counter() - start
    records = np.concatenate([batch["record"] for batch in batches])
    truth = data.truth("validation")
    truth = truth.of(np.isin(truth.records, records))

    def forward_alone() -> None:
        for batch in batches:
            inputs = {
                "frames": batch["frames"],
                "classes": np.zeros(len(batch["record"]), np.int32),
            }
            jax.device_get(forward(variables, **parallel.shard_flat(inputs)))

    forward_alone()  # compiles
    start = time.perf_counter()
    forward_alone()
    alone = time.perf_counter() - start
    start = time.perf_counter()
    score_split(
        forward,
        variables,
        batches,
        truth,
        (method,),
        parallel.shard_flat,
        processes.all_reduce_sum,
    )
    both = time.perf_counter() - start
    parts = {"read": read, "forward": alone, "boxes": both - alone}
    return {name: 1e3 * seconds / len(truth.ids) for name, seconds in parts.items()}
