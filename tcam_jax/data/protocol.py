"""What training asks of a dataset, so that it needs neither TensorFlow nor a prepared one."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from tcam_jax.data.truth import Truth


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
        """Batches number first_step … num_steps - 1, see `train.seed_maps.Batch`."""

    def frames_of_batch(self, number: int, batch_size: int) -> Sequence[str]:
        """Ids of the target frames of one training batch."""

    def truth(self, split: str) -> Truth:
        """The frames of a split that are evaluated, with their labels and boxes."""

    def frames(
        self, split: str, batch_size: int, rows: slice
    ) -> Iterator[Mapping[str, np.ndarray]]:
        """The frames of `truth(split)` in batches of `evaluate.evaluator.evaluate`."""
