"""Values against declared types: what fits comes back, what does not is named with its place."""

from typing import Annotated, Any, Literal, NotRequired, TypedDict

import pytest

from tcam_jax.runtime.shapes import Between, Box, Count, FileName, Length, Misfit, Share, fitted


class Inner(TypedDict):
    name: str
    share: Share | None


class Outer(TypedDict):
    size: Annotated[int, Between(1, 9)]
    rows: list[Inner]
    level: float | dict[str, float] | None
    iou: float | Literal["mean"]
    box: NotRequired[Box]


GOOD = {
    "size": 3,
    "rows": [{"name": "é", "share": 1, "more": [None]}, {"name": "", "share": None}],
    "level": {"a": 2},
    "iou": "mean",
    "box": [0, 1, 2.5, 3],
    "unknown": {"x": 1},
}


def test_what_fits_comes_back_with_numbers_and_tuples_as_declared():
    found = fitted(GOOD, Outer)
    assert found == GOOD and type(found["level"]["a"]) is type(found["box"][0]) is float
    assert fitted(["a", "b"], tuple[str, ...]) == ("a", "b")
    assert fitted(["a", 1], tuple[str, int]) == ("a", 1)
    assert fitted(1 + 1e-9, Share) == 1 + 1e-9  # a rounded sum
    assert fitted("v\udce9.mp4", FileName) == "v\udce9.mp4" and fitted([[]], Any) == [[]]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"size": True}, "size must be a whole number; it is True"),
        ({"size": 3.0}, "size must be a whole number"),
        ({"size": 0}, "size must be a whole number from 1 to 9; it is 0"),
        ({"size": "3"}, "size must be a whole number; it is '3'"),
        ({"rows": {}}, "rows must be a list; it is {}"),
        ({"rows": [None]}, r"rows\[0\] must be an object; it is None"),
        ({"rows": [{"name": "x"}]}, r"rows\[0\] lacks share"),
        ({"rows": [{"name": 1, "share": 0}]}, r"rows\[0\].name must be text; it is 1"),
        ({"rows": [{"name": "\ud800", "share": 0}]}, r"rows\[0\].name must be text"),
        ({"rows": [{"name": "", "share": 2}]}, r"share must be a number from 0 to 1 or null; it"),
        ({"level": float("nan")}, "level must be a number or an object or null; it is nan"),
        ({"level": float("inf")}, "it is inf"),
        ({"level": 10**400}, "it is 1000"),
        ({"iou": "men"}, "iou must be a number or 'mean'; it is 'men'"),
        ({"box": [0, 1, 2]}, "box must be a list of 4; it is"),
        ({"box": [0, 1, 2, "3"]}, r"box\[3\] must be a number; it is '3'"),
        ({"box": "abcd"}, "box must be a list"),
        ({"rows": "x" * 10**6}, "^.{1,200}$"),
    ],
)
def test_what_does_not_fit_is_named(changed, told):
    with pytest.raises(Misfit, match=told):
        fitted(GOOD | changed, Outer)


@pytest.mark.parametrize(
    ("value", "shape", "told"),
    [
        ({}, Outer, "it lacks size, rows, level, iou"),
        (-1, Count, "a whole number, 0 or more; it is -1"),
        (1, Literal[True], "it must be True; it is 1"),
        ([1, 2], Annotated[list[int], Length(3)], "a list of 3"),
        (["a"], tuple[str, str], "a list of 2"),
        ({"a": None}, dict[str, str], r"it\['a'\] must be text; it is None"),
        (0, bool, "true or false"),
        (0, None, "null"),
    ],
)
def test_other_shapes(value, shape, told):
    with pytest.raises(Misfit, match=told):
        fitted(value, shape)
