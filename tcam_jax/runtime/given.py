"""What a caller in Python gives, before it is used: on a command line flags check the same."""

import os
from pathlib import Path

from tcam_jax.runtime.errors import InputError


def path_given(given: object, name: str) -> Path:
    """Return the path that `given` is, with the home in the place of `~`; nothing need be there.

    Raises:
      InputError: it is no path, or one that cannot be looked at: too long, in a folder that one may
        not enter. `name` is what the message calls it.
    """
    # Of a user that does not exist, `Path.expanduser` raises; this leaves "~nobody" as it is.
    if isinstance(given, str | os.PathLike):
        expanded = os.path.expanduser(os.fspath(given))
        if isinstance(expanded, str):
            try:
                os.stat(expanded)
            except (FileNotFoundError, NotADirectoryError):
                pass
            except (OSError, ValueError) as error:
                why = getattr(error, "strerror", None) or str(error)
                raise InputError(f"{name}: {expanded} cannot be looked at ({why}).") from error
            return Path(expanded)
    raise InputError(f"{name} must be a path; got {type(given).__name__}.")


def check_share(given: object, name: str) -> None:
    """Refuse what is no number from 0 to below 1.

    Raises:
      InputError: calls it `name`.
    """
    try:
        fits = bool(0 <= given < 1)  # type: ignore[operator]  # asked here
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise InputError(f"{name} must be in 0..1, below 1; got {given!r}.")


def check_count(given: object, name: str, least: int) -> None:
    """Refuse what is no whole number of frames, `least` or more.

    Raises:
      InputError: calls it `name`.
    """
    try:
        fits = bool(given >= least and given == int(given))  # type: ignore[operator, call-overload]
    except (TypeError, ValueError, OverflowError):
        fits = False
    if not fits:
        raise InputError(f"{name} must be {least} or more frames; got {given!r}.")
