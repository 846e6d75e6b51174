"""What came from a file, held against a declared type: right as it is, or one fault with its place.

A shape is a type as it is written in code: int, float, str, bool, None, Any, Literal, TypedDicts,
list[T], tuple[T, ...], tuple[A, B], dict[str, T], A | B, and Annotated with `Between` or `Length`.
Stricter than Python: True is no number, a number is finite, a whole one at most 2**53, text is fit
for UTF-8.
"""

import math
from collections.abc import Callable
from functools import cache, partial
from reprlib import Repr
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

LARGEST = 2**53
"""Whole numbers of JSON are exact up to it."""

ROUNDING = 1e-6
"""By so much a share or a mean may leave its range."""


class Between(NamedTuple):
    """The range of a number, both ends in it, for `Annotated`."""

    low: float
    high: float


class Length(NamedTuple):
    """The length of a list, for `Annotated`."""

    items: int


FileName = NewType("FileName", str)
"""Text that may stand for bytes that are no UTF-8, as `os.fsdecode` has it."""

Share = Annotated[float, Between(0, 1)]
Percent = Annotated[float, Between(0, 100)]
Count = Annotated[int, Between(0, LARGEST)]
Box = Annotated[list[Annotated[float, Between(-(2**31), 2**31)]], Length(4)]  # pixels


class Misfit(ValueError):
    """What a value should be and is not, with its place."""


def fitted(value: object, shape: Any, place: str = "it") -> Any:
    """Return `value` in its `shape`: whole numbers as floats, lists as tuples, where it says so.

    Fields of an object that its TypedDict does not name stay as they are.

    Args:
      value: of JSON's types.
      shape: see the module.
      place: what the value is called in the message.

    Raises:
      Misfit: names the place, what was expected and what is there.
    """
    if shape is Any:
        return value
    if shape in _PLAIN:
        return _PLAIN[shape](value, place)
    origin, arguments = get_origin(shape), get_args(shape)
    if is_typeddict(shape):
        return _fitted_fields(value, shape, place)
    if origin is NotRequired:
        return fitted(value, arguments[0], place)
    if origin is Annotated:
        found = fitted(value, arguments[0], place)
        if not _is_within(found, arguments[1]):
            raise _misfit(place, in_words(shape), value)
        return found
    if origin is Literal:
        if not any(type(value) is type(one) and value == one for one in arguments):
            raise _misfit(place, in_words(shape), value)
        return value
    if origin in (Union, UnionType):
        return _fitted_one_of(value, arguments, place)
    if origin is dict:
        if not isinstance(value, dict):
            raise _misfit(place, in_words(shape), value)
        return {name: fitted(x, arguments[1], f"{place}[{name!r}]") for name, x in value.items()}
    if origin is list:
        return _fitted_items(value, shape, [arguments[0]] * _length(value), place)
    if origin is tuple:
        of = [arguments[0]] * _length(value) if Ellipsis in arguments else list(arguments)
        return tuple(_fitted_items(value, shape, of, place))
    raise TypeError(f"no shape: {shape!r}")


def shown(value: object) -> str:
    """Return a value for a message: short and in one line, however large or deep it is."""
    return _REPR.repr(value)


def in_words(shape: Any) -> str:
    """Return what a value of `shape` is, for a message."""
    if shape in _WORDS:
        return _WORDS[shape]
    origin, arguments = get_origin(shape), get_args(shape)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(map(in_words, arguments)))
    if origin is Literal:
        return " or ".join(map(repr, arguments))
    if origin is Annotated:
        words, limit = in_words(arguments[0]), arguments[1]
        if isinstance(limit, Length):
            return f"{words} of {limit.items}"
        low, high = limit
        return f"{words}, {low} or more" if high >= LARGEST else f"{words} from {low} to {high}"
    if origin is tuple and Ellipsis not in arguments:
        return f"a list of {len(arguments)}"
    return "a list" if origin in (list, tuple) else "an object"


def _fitted_fields(value: object, shape: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _misfit(place, "an object", value)
    hints = _hints(shape)
    if missing := [name for name in hints if name in shape.__required_keys__ - value.keys()]:
        lacking = ", ".join(missing[:5]) + (f", … ({len(missing)} fields)" if missing[5:] else "")
        raise Misfit(f"{place} lacks {lacking}")
    found = dict(value)
    for name in hints.keys() & value.keys():
        inner = name if place == "it" else f"{place}.{name}"
        found[name] = fitted(value[name], hints[name], inner)
    return found


@cache
def _hints(shape: Any) -> dict[str, Any]:
    return get_type_hints(shape, include_extras=True)


def _fitted_one_of(value: object, shapes: tuple[Any, ...], place: str) -> Any:
    others = [shape for shape in shapes if shape is not NoneType]
    if value is None and len(others) < len(shapes):
        return None
    nested: list[Misfit] = []
    for shape in others:
        try:
            return fitted(value, shape, place)
        except Misfit as error:
            nested.append(error)
    # What lies in the one that was meant, as far as that is known.
    if len(others) == 1 and isinstance(value, dict | list):
        raise nested[0]
    raise _misfit(place, in_words(Union[*shapes]), value)


def _is_within(value: Any, limit: Between | Length) -> bool:
    if isinstance(limit, Length):
        return len(value) == limit.items
    return limit.low - ROUNDING <= value <= limit.high + ROUNDING


def _length(value: object) -> int:
    return len(value) if isinstance(value, list) else 0


def _fitted_items(value: object, shape: Any, of: list[Any], place: str) -> list[Any]:
    if not isinstance(value, list) or len(value) != len(of):
        raise _misfit(place, in_words(shape), value)
    return [fitted(x, s, f"{place}[{i}]") for i, (x, s) in enumerate(zip(value, of, strict=True))]


def _misfit(place: str, expected: str, value: object) -> Misfit:
    return Misfit(f"{place} must be {expected}; it is {shown(value)}")


def _whole(value: object, place: str) -> int:
    if type(value) is not int or abs(value) > LARGEST:
        raise _misfit(place, _WORDS[int], value)
    return value


def _number(value: object, place: str) -> float:
    if type(value) is int and abs(value) <= LARGEST:
        return float(value)
    if type(value) is not float or not math.isfinite(value):
        raise _misfit(place, _WORDS[float], value)
    return value


def _text(value: object, place: str, errors: str = "strict") -> str:
    try:
        if isinstance(value, str) and (value.isascii() or value.encode(errors=errors)):
            return value
    except UnicodeEncodeError:
        pass
    raise _misfit(place, _WORDS[str], value)


def _exactly(kind: type) -> Callable[[object, str], Any]:
    def check(value: object, place: str) -> object:
        if type(value) is not kind:
            raise _misfit(place, _WORDS[kind], value)
        return value

    return check


_PLAIN: dict[Any, Callable[[object, str], Any]] = {
    int: _whole,
    float: _number,
    str: _text,
    FileName: partial(_text, errors="surrogateescape"),
    bool: _exactly(bool),
    NoneType: _exactly(NoneType),
    None: _exactly(NoneType),
}
_WORDS = {
    int: "a whole number",
    float: "a number",
    str: "text",
    FileName: "text",
    bool: "true or false",
    NoneType: "null",
    None: "null",
    Any: "anything",
}
_REPR = Repr()
_REPR.maxstring, _REPR.maxother, _REPR.maxlong, _REPR.maxlevel = 80, 80, 40, 3
