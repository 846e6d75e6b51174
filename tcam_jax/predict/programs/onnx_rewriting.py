"""A JAX program in those operations that jax2onnx converts, and converts rightly.

jax2onnx (0.17.1) puts its own functions in the place of many of jax.numpy's while it traces, which
`vmap` and unknown batch sizes do not get through. So a program is traced by JAX, and its operations
are given to jax2onnx one by one, with what they call opened up, what nobody needs left out, and
what is computed twice computed once (its time grows with the square of their number). These are
replaced by others of the same numbers:

- pooling, which it writes for windows over four axes, and ONNX Runtime takes three;
- a loop over frames, whose steps it gives wrong shapes: all frames at once, then;
- what reads and writes the CRF's colour grid, of which it knows no batches;
- a choice of the platform: the one for none in particular.
"""

import itertools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_batching import custom_vmap
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal

_OPENED = ("jit", "pjit", "closed_call", "custom_jvp_call", "custom_vjp_call", "custom_vmap_call")


def rewritten(program: Callable[..., Any], *shapes: jax.ShapeDtypeStruct) -> Callable[..., Any]:
    """Return `program` as a function that does nothing but its operations, a list of arrays."""
    closed = jax.make_jaxpr(program)(*shapes)
    closed = jax.make_jaxpr(_Operations(closed, replace=True))(*shapes)
    # What the replacements call is opened up, and its operations are shared.
    closed = jax.make_jaxpr(_Operations(closed, replace=False))(*shapes)
    return _Operations(closed, replace=False)


class _Operations:
    """A function that binds the operations of `closed` one by one."""

    def __init__(self, closed: ClosedJaxpr, replace: bool) -> None:
        self._closed, self._replace = closed, replace

    def __call__(self, *arguments: Any) -> list[Any]:
        self._known: dict[Any, tuple[Sequence[Any], Sequence[Any]]] = {}
        return self._run(self._closed, arguments)

    def _run(self, closed: ClosedJaxpr, arguments: Sequence[Any]) -> list[Any]:
        jaxpr = closed.jaxpr
        values = dict(zip(jaxpr.constvars, closed.consts, strict=True))
        values |= zip(jaxpr.invars, arguments, strict=True)

        def value_of(atom: Any) -> Any:
            return atom.val if isinstance(atom, Literal) else values[atom]

        for operation in _needed(jaxpr):
            given = [value_of(atom) for atom in operation.invars]
            results = self._results(operation, given)
            values |= zip(operation.outvars, results, strict=True)
        return [value_of(atom) for atom in jaxpr.outvars]

    def _results(self, operation: JaxprEqn, given: Sequence[Any]) -> Sequence[Any]:
        name, params = operation.primitive.name, operation.params
        if name in _OPENED:
            inner = next(value for value in params.values() if isinstance(value, ClosedJaxpr))
            return self._run(inner, given)
        if self._replace:
            if name == "platform_index":
                return [params["platforms"].index(None)]
            if name == "cond" and isinstance(given[0], int):
                return self._run(params["branches"][given[0]], given[1:])
            if name == "scan" and _is_map(operation):
                step = params["jaxpr"]
                axes = [
                    0 if jnp.ndim(value) > inner.aval.ndim else None
                    for value, inner in zip(given, step.jaxpr.invars, strict=True)
                ]
                return jax.vmap(_Operations(step, replace=True), tuple(axes))(*given)
            if name == "reduce_window_max":
                return [_pooled(given[0], params)]
            if name == "scatter-add" and _adds_rows(params):
                return [_add_rows(given[0], given[1][:, 0], given[2])]
            if name == "gather" and _reads_corners(given[0], params):
                return [_corners(given[0], given[1], params["slice_sizes"])]
        return self._bound(operation, given)

    def _bound(self, operation: JaxprEqn, given: Sequence[Any]) -> Sequence[Any]:
        primitive, params = operation.primitive, operation.params
        key: Any = (primitive.name, str(params), tuple(map(_identity, given)))
        if any(isinstance(leaf, ClosedJaxpr) for leaf in jax.tree.leaves(params)):
            key = object()  # the constants of a program do not show in its text
        if key not in self._known:
            results = primitive.bind(*given, **params)
            results = results if primitive.multiple_results else [results]
            self._known[key] = (results, given)  # an id is of a value only as long as it lives
        return self._known[key][0]


def _identity(value: Any) -> Any:
    if isinstance(value, jax.core.Tracer) or np.ndim(value) > 0:
        return id(value)
    return (str(jnp.result_type(value)), np.asarray(value).item())


def _needed(jaxpr: Jaxpr) -> list[JaxprEqn]:
    wanted, needed = set(_variables(jaxpr.outvars)), []
    for operation in reversed(jaxpr.eqns):
        if wanted.intersection(operation.outvars):
            needed.append(operation)
            wanted.update(_variables(operation.invars))
    return needed[::-1]


def _variables(atoms: Sequence[Any]) -> list[Any]:
    return [atom for atom in atoms if not isinstance(atom, Literal)]


def _is_map(scan: Any) -> bool:
    """Tell whether nothing is carried from step to step: each result is a stack of the steps'."""
    inner = scan.params["jaxpr"].jaxpr.outvars  # how many are carried has no name that lasts
    return all(a.aval.ndim > b.aval.ndim for a, b in zip(scan.outvars, inner, strict=True))


def _pooled(x: Any, params: dict[str, Any]) -> Any:
    """Take the maxima of windows, along one axis after the other, of shifted slices."""
    axes = zip(
        params["window_dimensions"], params["window_strides"], params["padding"], strict=True
    )
    for axis, (window, stride, (before, after)) in enumerate(axes):
        if window == 1:
            continue
        # A window at the edge has the outermost element; so padding with that is no padding.
        first = lax.slice_in_dim(x, 0, 1, axis=axis)
        last = lax.slice_in_dim(x, x.shape[axis] - 1, x.shape[axis], axis=axis)
        if before or after:
            x = lax.concatenate([first] * before + [x] + [last] * after, axis)
        span = (x.shape[axis] - window) // stride * stride + 1
        shifted = [lax.slice_in_dim(x, i, i + span, stride, axis) for i in range(window)]
        x = shifted[0]
        for other in shifted[1:]:
            x = lax.max(x, other)
    return x


def _adds_rows(params: dict[str, Any]) -> bool:
    dimensions = params["dimension_numbers"]
    return (
        params["mode"] == lax.GatherScatterMode.PROMISE_IN_BOUNDS
        and dimensions.update_window_dims == (1,)
        and dimensions.inserted_window_dims == (0,)
        and not dimensions.operand_batching_dims
    )


@custom_vmap
def _add_rows(points: Any, numbers: Any, rows: Any) -> Any:  # [n, r], [p], [p, r]
    return points.at[numbers].add(rows, mode="promise_in_bounds")


@_add_rows.def_vmap
def _add_rows_of_each(
    batch: Any, batched: list[bool], points: Any, numbers: Any, rows: Any
) -> tuple[Any, bool]:
    if not batched[0]:
        points = jnp.broadcast_to(points, (batch, *points.shape))
    flat = points.reshape(-1, points.shape[-1])
    numbers = _numbers_of_each(numbers, batch, points.shape[1])
    added = _add_rows(flat, numbers, rows.reshape(-1, rows.shape[-1]))
    return added.reshape(points.shape), True


def _reads_corners(grid: Any, params: dict[str, Any]) -> bool:
    dimensions, sizes = params["dimension_numbers"], params["slice_sizes"]
    return (
        params["mode"] == lax.GatherScatterMode.PROMISE_IN_BOUNDS
        and dimensions.start_index_map == (0, 1, 2)
        and dimensions.collapsed_slice_dims == ()
        and not dimensions.operand_batching_dims
        and sizes[3:] == grid.shape[3:]
    )


def _corners(grid: Any, cells: Any, sizes: Sequence[int]) -> Any:
    """Read boxes of `sizes` [3] points from the grid [n, n, n, r] at `cells` [p, 3]."""
    strides = (grid.shape[1] * grid.shape[2], grid.shape[2], 1)
    points = grid.reshape(-1, grid.shape[-1])
    lowest = sum(cells[:, axis] * stride for axis, stride in enumerate(strides))
    shifts = itertools.product(*map(range, sizes[:3]))
    numbers = [lowest + sum(map(operator.mul, shift, strides)) for shift in shifts]
    rows = _take_rows(points, jnp.stack(numbers, axis=1).ravel())
    return rows.reshape(len(cells), *sizes)


@custom_vmap
def _take_rows(points: Any, numbers: Any) -> Any:  # [n, r], [p]
    return jnp.take(points, numbers, axis=0, mode="clip")


@_take_rows.def_vmap
def _take_rows_of_each(
    batch: Any, batched: list[bool], points: Any, numbers: Any
) -> tuple[Any, bool]:
    flat = points.reshape(-1, points.shape[-1])
    count = numbers.shape[1]
    taken = _take_rows(flat, _numbers_of_each(numbers, batch, points.shape[1]))
    return taken.reshape(batch, count, points.shape[-1]), True


def _numbers_of_each(numbers: Any, batch: Any, rows: int) -> Any:
    firsts = rows * jnp.arange(batch, dtype=numbers.dtype)
    return (numbers + firsts[:, None]).ravel()
