"""A class that shows none of the others: the classifier learns it, localisation does not."""

from typing import Protocol, TypeVar, cast, runtime_checkable

from ml_collections import ConfigDict

from tcam_jax.data.protocol import Data
from tcam_jax.runtime.errors import InputError

D = TypeVar("D", bound=Data)


@runtime_checkable
class Divisible(Protocol):
    """`Data` that can leave out a class."""

    def without(self, class_name: str) -> Data:
        """The same data without a class's training shots and evaluated frames."""


def background_of(config: ConfigDict, class_names: tuple[str, ...]) -> str | None:
    """Return `config.dataset.background` where there is such a class."""
    name = config.dataset.background
    return name if name in class_names else None


def localised(config: ConfigDict, data: D) -> D:
    """Return what there is something to find in: `data` without its background class.

    Raises:
      InputError: there is one, and `data` cannot leave it out.
    """
    background = background_of(config, tuple(data.class_names))
    if background is None:
        return data
    if not isinstance(data, Divisible):
        raise InputError(
            f"data with the background class {background!r} must have the member `without` of "
            f"tcam_jax.data.dataset.Dataset; {type(data).__name__} lacks it. Or set "
            "config.dataset.background to ''."
        )
    return cast(D, data.without(background))
