"""What a checkpoint says beside the state."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NotRequired, TypedDict

from tcam_jax.runtime.shapes import Count, fitted

Roles = dict[str, dict[str, int | float]]


class Record(NamedTuple):
    """What a checkpoint says beside the state.

    Attributes:
      roles: {role: {"step", "value"}}: which steps are the best at what so far.
      validated: nothing is left to do at this step; False: its validation is.
      sound: training may come back to it: it was not saved to stop, and its last step was taken.
      pending: metrics of the last steps, not yet written into the log.
    """

    roles: Roles
    validated: bool = True
    sound: bool = True
    pending: Sequence[Mapping[str, Sequence[float]]] = ()


class _Best(TypedDict):
    step: Count
    value: Any  # a number, also one that is not finite


class _Stored(TypedDict):
    roles: dict[str, _Best]
    validated: NotRequired[bool]
    sound: NotRequired[bool]
    pending: NotRequired[list[dict[str, tuple[Any, Any]]]]  # numbers likewise


def as_record(content: dict[str, Any]) -> Record:
    """Return the record that was stored as `content`.

    Raises:
      ValueError, TypeError: it is none.
    """
    stored = fitted(content, _Stored)
    numbers = [best["value"] for best in stored["roles"].values()]
    numbers += [x for step in stored.get("pending", ()) for pair in step.values() for x in pair]
    if not all(type(x) in (int, float) for x in numbers):
        raise ValueError("a value in it is no number")
    return Record(**content)
