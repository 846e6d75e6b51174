"""What an ablation is: the same experiment with one thing changed, a table of such changes."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tcam_jax.evaluate.maps import TCAM_METHOD


class Variant(NamedTuple):
    """One row of a table.

    Attributes:
      run: name of the run; rows with the same name share it, and must have the same overrides.
      title: what the row shows.
      overrides: {dotted config field: value} that make the run.
      published: mean CorLoc on YouTube-Objects v1.0 in the paper, percent; None: not published.
      method: whose boxes the row scores, see `evaluate.results`.
    """

    run: str
    title: str
    overrides: Mapping[str, Any]
    published: float | None = None
    method: str = TCAM_METHOD


class Ablation(NamedTuple):
    """One table.

    Attributes:
      name: of its plot.
      title: what it shows.
      variants: its rows.
      every_seed: run every seed; False: the first one.
      note: what a reader must know.
    """

    name: str
    title: str
    variants: Sequence[Variant]
    every_seed: bool = True
    note: str = ""
