"""Validation beside the steps: of a copy of the state, in a thread, one at a time."""

import threading
from collections.abc import Mapping

from tcam_jax.runtime import processes
from tcam_jax.runtime.beside import Beside
from tcam_jax.runtime.interruption import Interrupted, Interruption
from tcam_jax.runtime.parallel import Parallel
from tcam_jax.train.checkpoint_record import Roles
from tcam_jax.train.saving import Snapshot
from tcam_jax.train.stage import Conclude, Validate, Validation

_ASK_EVERY = 0.5  # seconds between two looks at signals while training waits


class Validating:
    """The validation under way, if there is one. All processes call it together.

    Args:
      validate, parallel: the stage's, see `Stage`.

    Attributes:
      snapshot: what is being validated; None: nothing.
    """

    def __init__(self, validate: Validate, parallel: Parallel):
        self.snapshot: Snapshot | None = None
        self._validate, self._parallel = validate, parallel
        self._beside: Beside[Conclude] = Beside()
        self._unwanted = threading.Event()

    @property
    def seconds(self) -> float:
        """What validating has taken so far."""
        return self._beside.seconds

    def start(self, snapshot: Snapshot) -> None:
        """Begin; the one before is concluded."""
        variables = self._parallel.local_view(snapshot.state.variables)
        self.snapshot = snapshot
        self._beside.start(lambda: self._validate(variables, snapshot.step, self._check_wanted))

    def is_done(self) -> bool:
        """Tell whether there is one, and it only waits to be concluded."""
        return self.snapshot is not None and not processes.all_reduce_any(
            not self._beside.is_done()
        )

    def wait(self, stop: Interruption) -> bool:
        """Return True when it is done, False where `stop` was requested before."""
        while processes.all_reduce_any(not self._beside.wait(_ASK_EVERY)):
            if stop.requested():
                return False
        return True

    def conclude(self) -> Validation:
        """Wait for its end, and return what it tells."""
        conclude, self.snapshot = self._beside.take(), None
        assert conclude is not None, "nothing was started"
        return conclude()

    def close(self) -> None:
        """Give it up, and end the thread."""
        self._unwanted.set()
        self._beside.close()

    def _check_wanted(self) -> None:
        if self._unwanted.is_set():
            raise Interrupted


def better(roles: Roles, step: int, scores: Mapping[str, float]) -> Roles:
    """Return `roles` with the better scores of this step; the first of equals stays."""
    improved = {
        role: {"step": step, "value": score}
        for role, score in scores.items()
        if role not in roles or score > roles[role]["value"]
    }
    return {**roles, **improved}
