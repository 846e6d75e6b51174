"""What a class may be called: names must survive a text file of lines, where TFDS keeps them."""

import unicodedata
from collections.abc import Iterable

from tcam_jax.runtime.errors import InputError


def check_class_names(names: Iterable[object], where: str) -> None:
    """Refuse names that would come back as others, or that nobody can tell apart.

    Args:
      names: of all classes.
      where: whose they are, for the message.

    Raises:
      InputError: one is no text, empty, not in one line, has spaces around it, a NUL, or characters
        that UTF-8 does not have; or is another one, but for its Unicode normalisation.
    """
    if isinstance(names, str | bytes):
        raise InputError(f"the classes of {where} must be a list of names; got {names!r}")
    seen: dict[str, str] = {}
    for name in names:
        problem = _problem(name)
        if problem is None:
            shown = unicodedata.normalize("NFC", str(name))
            if shown in seen:
                problem = f"cannot be told from {seen[shown]!r}, another class"
            seen[shown] = str(name)
        if problem is not None:
            raise InputError(
                f"the name {name!r} of a class of {where} {problem}; a name is one line of text "
                "without spaces around it, and its own: rename the class (or its folder)"
            )


def _problem(name: object) -> str | None:
    if not isinstance(name, str):
        return f"is no text but {type(name).__name__}"
    if not name.strip():
        return "is empty"
    if len(name.splitlines()) > 1 or name.splitlines()[0] != name:
        return "has a line break"
    if name != name.strip():
        return "has spaces around it"
    if "\0" in name:
        return "has a NUL character"
    try:
        name.encode()
    except UnicodeEncodeError:  # a folder's, which is not UTF-8
        return "has characters that cannot be written as UTF-8"
    return None
