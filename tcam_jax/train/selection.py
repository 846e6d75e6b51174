"""The boxes by which checkpoints are selected, `config.eval.select_by`: true ones or others.

"boxes": the true ones; where there are none, the classifier that gives the seeds is the one of the
highest accuracy, and TCAM's last step is taken. "none": so it is where there are true boxes too,
which are then for scoring alone. A name of `PSEUDO_BOXES`: boxes found in the
videos, for both stages. "cam": for TCAM, the boxes of the Otsu regions of the frozen classifier's
CAMs; its own CAMs say nothing about the classifier, which is selected by accuracy. True boxes are
looked at for "boxes" alone.
"""

import numpy as np
from ml_collections import ConfigDict

from tcam_jax.data.duration import duration_of
from tcam_jax.data.protocol import Data, Recorded, evaluation_frames
from tcam_jax.data.truth import Truth
from tcam_jax.evaluate.maps import make_forward, methods_of_maps, see_neighbours
from tcam_jax.evaluate.pseudo_boxes import (
    PSEUDO_BOXES,
    pseudo_truth,
    truth_of_maps,
    without_boxes,
)
from tcam_jax.evaluate.selective_search import check_selective_search
from tcam_jax.evaluate.split import score_split
from tcam_jax.models.tcam import TCAM, Variables, for_inference
from tcam_jax.runtime import processes
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.interruption import Interruption
from tcam_jax.runtime.log import log
from tcam_jax.runtime.parallel import Parallel
from tcam_jax.runtime.stopwatch import Stopwatch


def check_selection(config: ConfigDict, data: Data) -> None:
    """Refuse what could not be selected or evaluated by, before anything is trained.

    Raises:
      InputError: the data have no shots to look into, or do not give what a map looks at; or a
        package is not installed.
    """
    if duration_of(config.tcam) is not None:
        evaluation_frames(data, neighbours=see_neighbours(methods_of_maps(config)))
    source = config.eval.select_by
    if source in PSEUDO_BOXES and not isinstance(data, Recorded):
        raise InputError(
            f"eval.select_by={source!r} looks at the frames of shots, for which data must have "
            f"the member `records` of tcam_jax.data.dataset.Dataset; {type(data).__name__} lacks "
            'it. Take "cam", "none" or "boxes", which need no more than tcam_jax.Data.'
        )
    if source == "selective_search":
        check_selective_search()


def selection_truth(config: ConfigDict, data: Data) -> Truth:
    """Return the validation frames with the boxes that select, in all processes the same.

    For "none" they have none, for "cam" none yet, see `cam_truth`.
    """
    truth, source = data.truth("validation"), config.eval.select_by
    if source == "boxes":
        return truth
    if source in ("cam", "none"):
        return without_boxes(truth)
    assert isinstance(data, Recorded)  # `check_selection`
    split, watch = data.records("validation"), Stopwatch()
    with watch.of("boxes"):
        boxes = processes.broadcast(
            lambda: [of.tolist() for of in pseudo_truth(split, truth, source).boxes]
        )
    found = truth._replace(boxes=[np.array(of, np.float32).reshape(-1, 4) for of in boxes])
    _report(found, source, watch.seconds["boxes"])
    return found


def cam_truth(
    config: ConfigDict,
    data: Data,
    parallel: Parallel,
    model: TCAM,
    variables: Variables,
    stop: Interruption,
) -> Truth:
    """Return the validation frames with the boxes of a classifier's CAMs. All processes call it.

    Args:
      config, data, parallel: the run's.
      model: in evaluation's form.
      variables: of the classifier that gives the seeds, on this process's devices.
      stop: asked between batches.
    """
    truth, method = without_boxes(data.truth("validation")), config.tcam.cam_method
    batch_size, rows = parallel.evaluation_rows(config.eval.batch_size)
    watch = Stopwatch()
    with watch.of("boxes"):
        scores = score_split(
            make_forward(model, (method,), parallel=parallel),
            for_inference(model, variables),
            stop.between(data.frames("validation", batch_size, rows)),
            truth,
            (method,),
            parallel.shard_flat,
            processes.all_reduce_sum,
        )
    found = truth_of_maps(truth, scores, method, config.dataset.crop)
    _report(found, "cam", watch.seconds["boxes"])
    return found


def _report(truth: Truth, source: str, seconds: float) -> None:
    boxed = sum(len(boxes) > 0 for boxes in truth.boxes)
    log.info(
        "selection by %s: %d of %d validation frames got a pseudo-box, in %.1f s; true boxes are "
        "not looked at",
        source,
        boxed,
        len(truth.ids),
        seconds,
    )
    if not boxed:
        log.warning("without any pseudo-box, selection is as of data without boxes")
