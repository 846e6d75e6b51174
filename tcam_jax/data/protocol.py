"""What training asks of a dataset, so that it needs neither TensorFlow nor a prepared one."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Array

from tcam_jax.data.truth import Truth

Batch = Mapping[str, Array]
"""A batch of shot windows on the device.

frames uint8 `[b, t, h, w, 3]`, valid bool `[b, t]`, label int32 `[b]`, slot int32 `[b]` (index in
the global batch); where seeds come from true boxes, boxes float32 `[b, 4]` in 0..1; where they come
from the user's own maps, seed_maps float32 `[b, t, h, w]`, 0..1.
"""


@runtime_checkable
class Data(Protocol):
    """What training needs of a dataset; `tcam_jax.data.dataset.Dataset` is one."""

    class_names: Sequence[str]

    def steps_per_epoch(self, batch_size: int) -> int:
        """Steps in which every training shot is visited once."""

    def training_batches(
        self,
        *,
        batch_size: int,
        n: int,
        mode: str,
        first_step: int,
        num_steps: int,
        rows: np.ndarray,
        boxes: bool = False,
        seed_dir: str | None = None,
    ) -> Iterator[Mapping[str, np.ndarray]]:
        """Batches number first_step … num_steps - 1, in the form of `Batch`."""

    def frames_of_batch(self, number: int, batch_size: int) -> Sequence[str]:
        """Ids of the target frames of one training batch."""

    def truth(self, split: str) -> Truth:
        """The frames of a split that are evaluated, with their labels and boxes."""

    def frames(
        self, split: str, batch_size: int, rows: slice
    ) -> Iterator[Mapping[str, np.ndarray]]:
        """The frames of `truth(split)` in batches of `evaluate.split.score_split`."""
