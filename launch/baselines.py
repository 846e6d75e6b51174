"""What boxes score that no network gives: python -m launch.baselines --config=FILE [--data_dir=].

CorLoc at an IoU of 0.5 on the test split, as a mean over classes: of the centre box (its size is
the best on validation), of the whole frame, and of what moves. Needs boxes in validation and test.
"""

import numpy as np

from tcam_jax.commands import command_line, config_flag
from tcam_jax.data.records import Split, open_split
from tcam_jax.data.truth import Truth, read_truth
from tcam_jax.evaluate.baselines import best_fraction, box_corloc, centre_boxes, moving_box
from tcam_jax.evaluate.pseudo_boxes import with_neighbours
from tcam_jax.runtime.errors import InputError

_CONFIG = config_flag.define_config()
_DATA_DIR = command_line.define_path("data_dir", "where prepared datasets live")


def main() -> None:
    """Print the table."""
    dataset = _CONFIG.value.dataset
    place = (_DATA_DIR.value or dataset.data_dir, dataset.name, dataset.config)
    validation, test = (open_split(*place, split) for split in ("validation", "test"))
    known, truth = read_truth(validation), read_truth(test)
    if not (known.has_boxes and truth.has_boxes):
        raise InputError(f"{dataset.name}/{dataset.config} has no boxes to score against")
    fraction = best_fraction(known)
    areas = [_areas(truth, i).max() for i in range(len(truth.ids))]
    rows = {
        f"centre box, {fraction:.2f} of width and height": centre_boxes(truth, fraction),
        "whole frame": centre_boxes(truth, 1.0),
        "frame difference": np.stack([_moving(test, record) for record in truth.records.tolist()]),
    }
    print(f"{test.name}: {len(truth.ids)} frames with boxes; the largest of a frame takes")
    print(f"{100 * np.mean(areas):.1f} % of it on average. CorLoc, mean over classes:")
    for name, boxes in rows.items():
        print(f"  {box_corloc(np.asarray(boxes, np.float64), truth):5.1f}  {name}")


def _areas(truth: Truth, index: int) -> np.ndarray:
    boxes = truth.boxes[index]
    return np.prod(boxes[:, 2:] - boxes[:, :2] + 1, axis=1) / np.prod(truth.sizes[index])


def _moving(split: Split, record: int) -> np.ndarray:
    frame, neighbours = with_neighbours(split, record)
    return moving_box(frame, neighbours(1))


if __name__ == "__main__":
    command_line.run(main, required=["config"])
