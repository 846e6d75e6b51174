"""The rules by which the authors of TCAM chose validation videos, and the splits that follow.

Source: the lists that they published, which these rules reproduce.
"""

import logging
import random
from collections.abc import Mapping, Sequence

from tcam_jax.data.builders.sources import SourceShot
from tcam_jax.data.builders.youtube_objects.raw_shots import (
    Annotations,
    RawShot,
    evaluated_shots,
    source_shot,
)
from tcam_jax.runtime.errors import InputError

NUM_VALIDATION_VIDEOS = {"v1.0": 5, "v2.2": 3}  # of each class

_SHUFFLES = 1000

_logger = logging.getLogger(__name__)


def validation_videos(
    version: str, labelled: Sequence[str], class_number: int, most: int | None = None
) -> list[str]:
    """The validation videos of one class, in the published order.

    v1.0: the first 5 after shuffling 1000 times with the class number as the seed. v2.2: the first
    3 in order of appearance.

    Args:
        version: "v1.0" or "v2.2".
        labelled: the training videos that have annotated frames; for v1.0 sorted, for v2.2 in order
            of appearance.
        class_number: place of the class among the sorted names.
        most: take no more than this, for incomplete downloads.
    """
    videos = list(labelled)
    if version == "v1.0":
        generator = random.Random(class_number)
        for _ in range(_SHUFFLES):
            generator.shuffle(videos)
    count = NUM_VALIDATION_VIDEOS[version]
    return videos[: count if most is None else min(count, most)]


def reference_splits(
    version: str,
    shots: Mapping[str, Sequence[RawShot]],
    annotations: Mapping[str, Annotations],
) -> dict[str, list[SourceShot]]:
    """The splits as the authors published them; both arguments by class, classes sorted.

    Training takes all frames of its videos, without boxes. Validation and test take the frames that
    have boxes, and those beside them. A class with too few videos has fewer for validation, so that
    one is left to train on; this is logged. A split without any shot is left out.

    Raises:
        InputError: a class has no training video.
    """
    splits: dict[str, list[SourceShot]] = {"train": [], "validation": [], "test": []}
    for class_number, (class_name, annotated) in enumerate(annotations.items()):
        split_of: dict[str, str] = dict(annotated.split_of)
        training = [video for video, split in split_of.items() if split == "train"]
        if not training:
            raise InputError(
                f"class {class_name!r} has no training videos; complete its download, or remove it"
            )
        labelled = [video for video in training if video in annotated.labelled]
        chosen = validation_videos(version, labelled, class_number, most=len(training) - 1)
        if len(chosen) < NUM_VALIDATION_VIDEOS[version]:
            _logger.warning(
                "class %s has only %d training videos, %d of them annotated: %d for validation",
                class_name,
                len(training),
                len(labelled),
                len(chosen),
            )
        split_of.update(dict.fromkeys(chosen, "validation"))
        for shot in shots[class_name]:
            split = split_of.get(shot.video)
            boxes = annotated.boxes.get(shot.shot_id, {})
            if split == "train":
                splits["train"].append(source_shot(shot, {}))
            elif split is not None and boxes:
                splits[split] += evaluated_shots(shot, boxes)
    return {split: shots for split, shots in splits.items() if shots}
