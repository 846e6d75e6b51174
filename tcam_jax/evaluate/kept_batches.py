"""Batches of validation frames, read and decoded once and kept in memory where they fit."""

from collections.abc import Callable, Iterable, Iterator

from tcam_jax.evaluate.walk import Batch

MOST_BYTES = 2**30
"""Of a process's batches, uint8: 7,000 frames of 224 pixels."""


class KeptBatches:
    """The same batches at every iteration; from the second one on without reading, if they fit.

    Args:
      read: reads them all, anew at every call.
      most_bytes: if they take more, none is kept.
    """

    def __init__(self, read: Callable[[], Iterable[Batch]], most_bytes: int = MOST_BYTES):
        self._read, self._most_bytes = read, most_bytes
        self._kept: list[Batch] | None = None
        self._fit = True

    def __iter__(self) -> Iterator[Batch]:
        if self._kept is not None:
            yield from self._kept
            return
        kept: list[Batch] = []
        size = 0
        for batch in self._read():
            size += sum(array.nbytes for array in batch.values())
            self._fit = self._fit and size <= self._most_bytes
            if self._fit:
                kept.append(batch)
            else:
                kept.clear()
            yield batch
        if self._fit:  # all of them: an iteration that is broken off keeps none
            self._kept = kept
