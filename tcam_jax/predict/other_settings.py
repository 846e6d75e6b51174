"""What two calls of `tcam predict` do not have in common, in the words of its flags."""

from collections.abc import Mapping
from typing import Any

_FLAGS = {"class_name": "--class"}


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return all settings that differ, with the old and the new value; "" where none does.

    Args:
      before, now: by name: those of flags, and "network", "masks", see `commands.predict`.
    """
    return "; ".join(
        _in_words(name, before.get(name), now.get(name))
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    )


def _in_words(name: str, before: Any, now: Any) -> str:
    if name == "network":  # its fingerprint tells nobody anything
        return "--workdir or --model is another network, or trained or evaluated anew"
    if name == "masks":
        return "--format had masks, it has none" if before else "--format had no masks, it has them"
    flag = _FLAGS.get(name, f"--{name}")
    return f"{flag} was {_value(before)}, it is {_value(now)}"


def _value(value: Any) -> str:
    if value is None:
        return "not given"
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)
