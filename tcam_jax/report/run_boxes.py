"""What draws a run's boxes: of which map, at which threshold."""

from ml_collections import ConfigDict

from tcam_jax.evaluate.protocols import rule_without_boxes
from tcam_jax.evaluate.pseudo_boxes import PSEUDO_BOXES
from tcam_jax.evaluate.results import Results, find_row
from tcam_jax.runs.networks import localising_method


def methods_of(config: ConfigDict) -> tuple[str, ...]:
    """Return what a run's report compares: where its boxes come from, and the CAM baseline."""
    return tuple(dict.fromkeys((localising_method(config), config.tcam.cam_method)))


def threshold_of_run(config: ConfigDict, results: Results, method: str) -> str:
    """Return the threshold by which a run's boxes of `method` are drawn, one of `thresholds_of`.

    That of validation, where its true boxes are there and may be looked at.
    """
    by_boxes = config.eval.select_by == "boxes"
    if by_boxes and find_row(results, method, "val")["tau"] is not None:
        return "val"
    return rule_without_boxes(method, config.eval.select_by in PSEUDO_BOXES)
