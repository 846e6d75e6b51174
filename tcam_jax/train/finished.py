"""The best networks of a finished stage, for what is built on it; in every process."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from tcam_jax.models.tcam import Variables
from tcam_jax.runtime import processes
from tcam_jax.runtime.errors import InputError
from tcam_jax.train.checkpoint import Checkpoints
from tcam_jax.train.stage import last_step


class Finished:
    """The checkpoints of the stage in `directory`.

    Raises:
      InputError: it is not trained to its end.
    """

    def __init__(self, directory: Path):
        self._checkpoints = Checkpoints(directory / "checkpoints")
        self._last = processes.broadcast(partial(last_step, directory))
        if self._last is None:
            raise InputError(
                f"{directory} must be trained to its end, and is not; go on with "
                f"`tcam train --config=… --workdir={directory.parent}`."
            )

    def best_step(self, role: str) -> int:
        """Return the step that is best at `role`, see `Checkpoints.role_step`."""
        return processes.broadcast(partial(self._checkpoints.role_step, role, self._last))

    def variables(self, step: int, like: Callable[[], Variables]) -> Variables:
        """Return the variables of `step`, NumPy arrays in the form of `like()`."""
        read = partial(self._checkpoints.restore_variables, step)
        return processes.broadcast_arrays(read, like)
