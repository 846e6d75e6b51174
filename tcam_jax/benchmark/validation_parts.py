"""A validation taken apart: frames read, the network's forward pass, boxes judged."""

import time
from collections.abc import Callable, Mapping

import jax
import numpy as np
from ml_collections import ConfigDict

from tcam_jax.data.protocol import Data, evaluation_frames
from tcam_jax.evaluate.maps import OF_NEIGHBOURS, make_forward
from tcam_jax.evaluate.selection_scores import selection_scores
from tcam_jax.evaluate.walk import inputs_of
from tcam_jax.models.tcam import Variables, for_inference
from tcam_jax.runtime.parallel import Parallel
from tcam_jax.train.stages import make_model

BATCHES = 4


def validation_parts(
    config: ConfigDict, data: Data, parallel: Parallel, variables: Variables, method: str
) -> dict[str, dict[str, float]]:
    """Time the parts one after the other; all but reading on the split's first `BATCHES` batches.

    Args:
      config, data, parallel: the run's.
      variables: of the network that is validated, on this process's devices.
      method: whose maps are judged, see `evaluate.maps`.

    Returns:
      For "read", which a run does once, with the start of the pipeline, "forward", maps on the host
      included, and "boxes", what the scores take beyond the forward pass: "ms" a frame, and
      "processor_ms", of all cores, which does not depend on who else uses them.
    """
    batch_size, rows = parallel.evaluation_rows(config.eval.batch_size)
    model = make_model(config, len(data.class_names))
    variables, forward = for_inference(model, variables), make_forward(model, (method,))
    read_frames = evaluation_frames(data, neighbours=method in OF_NEIGHBOURS)
    batches: list[Mapping[str, np.ndarray]] = []

    def read() -> None:
        for number, batch in enumerate(read_frames("validation", batch_size, rows)):
            if number < BATCHES:
                batches.append(batch)

    def forward_alone() -> None:
        for batch in batches:
            classes = np.zeros(len(batch["record"]), np.int32)
            jax.device_get(forward(variables, *inputs_of(batch, classes, parallel.shard_flat)))

    def forward_and_boxes() -> None:
        selection_scores(forward, variables, batches, truth, method, parallel.shard_flat)

    whole = data.truth("validation")
    reading = _timed(read) / len(whole.ids)
    truth = whole.of(np.isin(whole.records, [batch["record"] for batch in batches]))
    forward_alone()  # compiles
    alone, both = (_timed(work) / len(truth.ids) for work in (forward_alone, forward_and_boxes))
    parts = {"read": reading, "forward": alone, "boxes": both - alone}
    return {
        name: dict(zip(("ms", "processor_ms"), (1e3 * part).tolist(), strict=True))
        for name, part in parts.items()
    }


def _timed(work: Callable[[], None]) -> np.ndarray:
    """Return its seconds and its processor seconds."""
    start = np.array([time.monotonic(), time.process_time()])
    work()
    return np.array([time.monotonic(), time.process_time()]) - start
