"""Checkpoints written beside the steps: the state is copied on the devices, a thread does the rest.

The thread copies it to the host, waits until the log's lines are on disk, and writes; one
checkpoint at a time. Orbax's own asynchronous writer was tried: the caller waits for its copy to
the host (0.08 s for ResNet50's 190 MB on two cores, here 0.02 s), it does not sync what it writes,
and digests and damaged folders would still be ours.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from tcam_jax.runtime import processes
from tcam_jax.runtime.beside import Beside
from tcam_jax.runtime.files import cannot_write
from tcam_jax.runtime.lock import check_held
from tcam_jax.train.checkpoint import Checkpoints
from tcam_jax.train.checkpoint_record import Record
from tcam_jax.train.state import TrainState


class Snapshot(NamedTuple):
    """A state that later steps leave alone.

    Attributes:
      step: finished steps.
      state: a copy, on the devices.
      sound: training may come back to it, see `Record`.
    """

    step: int
    state: TrainState
    sound: bool


@jax.jit
def copied(state: TrainState) -> TrainState:
    """Return a copy on the same devices; they make it when the steps before it are done."""
    return jax.tree.map(jnp.copy, state)


class Saving:
    """Writes the checkpoints of a stage. All processes call it together; the first one writes.

    What could not be written is raised by the next call, in all of them.

    Attributes:
      last: the step that was saved or restored last, None: none was.
      sound: whether its record says so.
    """

    def __init__(self, checkpoints: Checkpoints):
        self.last: int | None = None
        self.sound = False
        self._checkpoints = checkpoints
        self._beside: Beside[None] = Beside()

    @property
    def seconds(self) -> float:
        """What writing has taken so far."""
        return self._beside.seconds

    def save(self, snapshot: Snapshot, record: Record, sync: Callable[[], None]) -> None:
        """Begin to write `snapshot`, after waiting for what is being written.

        Args:
          snapshot, record: what is written.
          sync: returns when the log's lines are on disk: none may be missing in a checkpoint's.

        Raises:
          InputError: what was being written could not be.
        """

        step, states = snapshot.step, [snapshot.state]

        def write() -> None:
            state = jax.device_get(states.pop())  # the devices need not keep it any longer
            sync()
            self._checkpoints.save(step, state, record)

        self._start(write)
        self.last, self.sound = step, record.sound

    def amend(self, step: int, record: Record, sync: Callable[[], None]) -> None:
        """Begin to replace the record of checkpoint `step`; see `save`."""

        def write() -> None:
            sync()
            self._checkpoints.amend(step, record)

        self._start(write)

    def check(self) -> None:
        """Raise what the thread has raised by now; see `save`."""
        if processes.all_reduce_any(self._beside.has_failed()):
            self.wait()

    def wait(self) -> None:
        """Return when all is written; see `save`."""
        processes.broadcast(self._beside.take)

    def close(self) -> None:
        """Let the thread finish, and end it."""
        self._beside.close()

    def _start(self, work: Callable[[], None]) -> None:
        directory = self._checkpoints.directory

        def checked() -> None:
            check_held(directory)
            try:
                work()
            except Exception as error:
                check_held(directory)  # may say why
                if isinstance(error, OSError):
                    raise cannot_write(directory, error) from error
                raise

        processes.broadcast(lambda: self._beside.start(checked))
