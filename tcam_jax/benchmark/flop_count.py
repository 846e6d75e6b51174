"""Counts the operations that a traced function asks for, loops included.

XLA's own estimate takes the body of a loop once, and counts what a compiler has made of the
program; this count is the same for every device.
"""

from collections.abc import Iterator
from math import prod
from typing import Any

from jax.extend.core import ClosedJaxpr, Jaxpr
from jax.interpreters.partial_eval import dce_jaxpr


def count_flops(jaxpr: Jaxpr) -> int:
    """Return twice the multiply-adds of all convolutions and matrix products.

    What no output needs is left out. Inside shard_map that is the work of one device. A `while`
    without a known length counts once, of a `cond` the dearest branch. Zeros of padding count;
    those that dilate a gradient do not.
    """
    return _count(dce_jaxpr(jaxpr, [True] * len(jaxpr.outvars))[0])


def _count(jaxpr: Jaxpr) -> int:
    total = 0
    for equation in jaxpr.eqns:
        name, params = equation.primitive.name, equation.params
        if name == "dot_general":
            total += _dot(equation)
        elif name == "conv_general_dilated":
            total += _convolution(equation)
        elif name == "cond":
            total += max(_count(branch.jaxpr) for branch in params["branches"])
        else:
            inner = sum(_count(body) for body in _bodies(params))
            total += inner * (params["length"] if name == "scan" else 1)
    return total


def _bodies(params: dict[str, Any]) -> Iterator[Jaxpr]:
    for value in params.values():
        if isinstance(value, ClosedJaxpr):
            yield value.jaxpr
        elif isinstance(value, Jaxpr):
            yield value


def _dot(equation: Any) -> int:
    (contracted, _), _ = equation.params["dimension_numbers"]
    left = equation.invars[0].aval.shape
    return 2 * prod(equation.outvars[0].aval.shape) * prod(left[axis] for axis in contracted)


def _convolution(equation: Any) -> int:
    params, kernel = equation.params, equation.invars[1].aval.shape
    _, inputs, *space = params["dimension_numbers"].rhs_spec
    taps = kernel[inputs] * prod(kernel[axis] for axis in space)
    return 2 * prod(equation.outvars[0].aval.shape) * taps // prod(params["lhs_dilation"])
