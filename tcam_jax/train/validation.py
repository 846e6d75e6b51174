"""Validation of a stage: scores on the validation split, and the maps of a few of its frames."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from tcam_jax.data.protocol import Data, evaluation_frames
from tcam_jax.data.truth import Truth
from tcam_jax.evaluate.kept_batches import KeptBatches
from tcam_jax.evaluate.maps import OF_DECODER, OF_NEIGHBOURS, make_forward
from tcam_jax.evaluate.selection_scores import selection_corloc, selection_scores
from tcam_jax.evaluate.split import accuracy, scaled_truth
from tcam_jax.evaluate.walk import Batch, inputs_of
from tcam_jax.models.tcam import TCAM, Variables, for_inference
from tcam_jax.predict.drawing.fonts import drawable
from tcam_jax.predict.drawing.overlays import NO_BOXES, contact_sheet, draw_overlay
from tcam_jax.runtime import processes
from tcam_jax.runtime.parallel import Parallel

FOREGROUND = "validation_foreground"  # percent of the pixels of TCAM's maps
SHOWN = 4  # frames in the picture, of as many classes, if a batch here has as many


class Measured(NamedTuple):
    """What a network does on the validation split.

    Attributes:
      metrics: as logged.
      accuracy: classification accuracy, percent.
      corloc: frame mean at the threshold that is best on this split, percent, as the reference
        selects, against true boxes or those in their place; None where no frame has a box.
      picture: the same `SHOWN` frames every time under their maps, uint8 `[h, w, 3]`; None in the
        processes that write nothing.
    """

    metrics: Mapping[str, float | None]
    accuracy: float
    corloc: float | None
    picture: np.ndarray | None


def make_validation(
    config: ConfigDict, data: Data, parallel: Parallel, model: TCAM, method: str, truth: Truth
) -> Callable[[Variables, Callable[[], None]], Callable[[], Measured]]:
    """Return the validation of `method`: (variables on this process's devices, check) -> conclude.

    It meets no other process, so that it can run in a thread; `check` is called before each batch.
    `conclude` is called by all processes together. The first validation keeps the frames, if they
    fit, and those that all pictures show.

    Args:
      config, data, parallel: the run's.
      model: in evaluation's form.
      method: see `evaluate.maps`.
      truth: the validation frames with the boxes that select, see `train.selection`.
    """
    forward = make_forward(model, (method,), parallel=parallel)
    batch_size, rows = parallel.evaluation_rows(config.eval.batch_size)
    read = evaluation_frames(data, neighbours=method in OF_NEIGHBOURS)
    frames = KeptBatches(lambda: read("validation", batch_size, rows))
    labels = np.unique(truth.labels)
    shown_at_once = min(SHOWN, len(labels), rows.stop - rows.start)
    labels = labels[np.linspace(0, len(labels) - 1, shown_at_once).astype(int)]
    by = config.eval.select_by
    corloc_name = f"corloc_{method}" if by in ("boxes", "none") else f"{by}_corloc_{method}"
    shown: dict[int, tuple[int, Batch]] = {}  # class: (index in truth, of the frame alone)
    index_of = {record: index for index, record in enumerate(truth.records.tolist())}

    def picture(variables: Variables) -> np.ndarray:
        # The validation's own batch size, so that nothing is compiled for it. These devices are
        # this process's: no other one needs to take part.
        again = np.resize(np.arange(len(shown)), rows.stop - rows.start)
        alone = [one for _, one in shown.values()]
        batch = {name: np.stack([one[name] for one in alone])[again] for name in alone[0]}
        classes = np.array(list(shown), np.int32)[again]
        inputs = inputs_of(batch, classes, parallel.shard_flat)
        maps = jax.device_get(forward(variables, *inputs)).maps[0]
        panels = [
            draw_overlay(
                one["frames"],
                u8,
                scaled_truth(truth, index, len(u8)),
                NO_BOXES,
                f"{method}: {drawable(data.class_names[label], label)}",
            )
            for (label, (index, one)), u8 in zip(shown.items(), maps[: len(shown)], strict=True)
        ]
        return contact_sheet(panels, columns=2)

    def keep(batch: Batch) -> None:
        """Put the first frame of each of `labels` into `shown`, if none is there yet."""
        for place, record in enumerate(batch["record"].tolist()):
            if record >= 0:
                label = int(truth.labels[index_of[record]])
                if label in labels and label not in shown:
                    alone = {name: batch[name][place].copy() for name in batch}
                    shown[label] = index_of[record], alone

    def batches(check: Callable[[], None]) -> Iterator[Batch]:
        for batch in frames:
            check()
            if processes.is_first() and len(shown) < len(labels):
                keep(batch)
            yield batch

    def measure(variables: Variables, check: Callable[[], None]) -> Callable[[], Measured]:
        variables = for_inference(model, variables)
        here = selection_scores(
            forward, variables, batches(check), truth, method, parallel.shard_flat
        )
        drawn = picture(variables) if shown else None

        def conclude() -> Measured:
            scores = jax.tree.map(processes.all_reduce_sum, here)
            correct, corloc = accuracy(scores, truth), selection_corloc(scores, truth)
            metrics = {"validation_accuracy": correct, f"validation_{corloc_name}": corloc}
            if method in OF_DECODER:
                metrics[FOREGROUND] = 100.0 * float(scores.areas.mean())
            return Measured(metrics, correct, corloc, drawn)

        return conclude

    return measure
