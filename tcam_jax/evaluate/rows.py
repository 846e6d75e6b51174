"""The rows of the table of results: their types, and the figures of one row."""

import math
from collections.abc import Sequence
from typing import Annotated, Literal, TypedDict

import numpy as np

from tcam_jax.evaluate.bootstrap import interval
from tcam_jax.evaluate.corloc import Localisation
from tcam_jax.runtime.shapes import Length, Percent, Share


class Scores(TypedDict):
    """The figures of a row, see `evaluate.results`."""

    corloc: Percent | None
    interval: Annotated[list[Percent], Length(2)] | None
    corloc_frames: Percent | None
    per_class: list[Percent | None]


class ProtocolRow(Scores):
    """A row of one kind of map, see `evaluate.results`."""

    threshold: str | None
    regions: str | None
    iou: Share | Literal["mean"]
    localisation: str
    tau: Share | dict[str, Share] | None


class Row(ProtocolRow):
    """A row of `results.json`, see `evaluate.results`."""

    method: str
    checkpoint: str | None
    class_from: str | None


def scores_of(
    correct: np.ndarray, labels: np.ndarray, num_classes: int, samples: np.ndarray | None
) -> Scores:
    """Return the figures of one row, percent; null for classes without frames."""
    scored = Localisation(correct[:, None], labels, np.zeros(1))
    per_class = scored.per_class(num_classes)[0]
    return {
        "corloc": float(scored.class_mean()[0]),
        "interval": None if samples is None else interval(samples),
        "corloc_frames": float(scored.frame_mean()[0]),
        "per_class": [None if math.isnan(value) else float(value) for value in per_class],
    }


def mean_scores(rows: Sequence[Scores], samples: Sequence[np.ndarray | None]) -> Scores:
    """Return the means of the figures of `rows`; null where one of them is."""
    known = [one for one in samples if one is not None]
    if any(row["corloc"] is None for row in rows):
        return unknown_scores(len(rows[0]["per_class"]))
    per_class = zip(*(row["per_class"] for row in rows), strict=True)
    return {
        "corloc": _mean([row["corloc"] for row in rows]),
        "interval": interval(np.mean(known, axis=0)) if known else None,
        "corloc_frames": _mean([row["corloc_frames"] for row in rows]),
        "per_class": [_mean(ious) for ious in per_class],
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def unknown_scores(num_classes: int) -> Scores:
    """Return the figures of a row that cannot be measured."""
    return {
        "corloc": None,
        "interval": None,
        "corloc_frames": None,
        "per_class": [None] * num_classes,
    }
