"""Numbers that others published, as data: `youtube_objects.csv`, with the source of each row."""

import csv
from importlib.resources import files
from typing import NamedTuple


class Published(NamedTuple):
    """One method on one version of a dataset.

    Attributes:
      method: its name where it was published.
      ours: the name of the same method here; "" where there is none.
      reference: who made it.
      per_class: {class: CorLoc in percent}; empty where only the mean is known.
      mean: CorLoc, mean over classes as printed, percent.
      accuracy: of classification, percent; None: not published.
      milliseconds: a frame; None: not published. On hardware that is not named.
      source: where the numbers are printed.
      protocol: under which CorLoc was measured.
      note: what else a reader must know; "" for nothing.
    """

    method: str
    ours: str
    reference: str
    per_class: dict[str, float]
    mean: float
    accuracy: float | None
    milliseconds: float | None
    source: str
    protocol: str
    note: str


_ABOUT = (
    *("version", "method", "ours", "reference", "mean", "accuracy", "milliseconds"),
    *("source", "protocol", "note"),
)


def published_rows(dataset: str, config: str) -> list[Published]:
    """Return what was published for a prepared dataset, such as "youtube_objects", "v2.2".

    Args:
      dataset: name of the dataset.
      config: of its builder; "v1.0_train256" has v1.0's frames.
    """
    if dataset != "youtube_objects":
        return []
    version = config.partition("_")[0]
    text = files(__package__).joinpath("youtube_objects.csv").read_text(encoding="utf-8")
    return [
        Published(
            method=row["method"],
            ours=row["ours"],
            reference=row["reference"],
            per_class={
                name: float(value) for name, value in row.items() if name not in _ABOUT and value
            },
            mean=float(row["mean"]),
            accuracy=float(row["accuracy"]) if row["accuracy"] else None,
            milliseconds=float(row["milliseconds"]) if row["milliseconds"] else None,
            source=row["source"],
            protocol=row["protocol"],
            note=row["note"],
        )
        for row in csv.DictReader(text.splitlines())
        if row["version"] == version
    ]
