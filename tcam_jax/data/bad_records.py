"""Damaged records met in training: named once, remembered, counted, and too many of them refused.

A dataset is checked when it is prepared, but disks and copies fail later. A few lost frames out of
many change nothing in training; a run must not die of one of them after a week.
"""

import logging
import threading

from tcam_jax.data.records import Split
from tcam_jax.runtime.errors import InputError

_logger = logging.getLogger(__name__)

MOST_REDRAWS = 16  # in a row, for one slot of a batch
MOST_BAD_RECORDS = 16  # in a small dataset
MOST_BAD_FRACTION = 0.01  # of all records, in a large one


class BadRecords:
    """The damaged records of one split that one run of the pipeline met. Safe for many threads."""

    def __init__(self, split: Split):
        self._name = split.name
        self._most = max(MOST_BAD_RECORDS, int(MOST_BAD_FRACTION * split.table.num_records))
        self._known: set[int] = set()
        self._lock = threading.Lock()

    def __contains__(self, record: int) -> bool:
        return record in self._known

    def add(self, record: int, error: InputError) -> None:
        """Remembers `record` and logs `error`, which names it, unless it is known already.

        Raises:
            InputError: there are too many bad records to go on.
        """
        with self._lock:
            if record in self._known:
                return
            self._known.add(record)
            total = len(self._known)
            _logger.warning("training goes on without a bad record (%d so far): %s", total, error)
        if total > self._most:
            raise InputError(
                f"more than {self._most} records of {self._name} could not be used, too many for "
                f"training to go on; the last: {error}"
            )
