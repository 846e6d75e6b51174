"""What the text of a compiled program tells: its all-reduces, its kernels, the bytes they move."""

import re
from math import prod
from typing import NamedTuple

_BYTES = {"f64": 8, "s64": 8, "u64": 8, "f32": 4, "s32": 4, "u32": 4, "bf16": 2, "f16": 2, "s16": 2}
_BYTES |= {"u16": 2, "u8": 1, "s8": 1, "pred": 1}
_ALL_REDUCE = re.compile(r"^\s*(?:ROOT )?\S+ = (.*?) all-reduce(?:-start)?\(", re.MULTILINE)
_OPERATION = re.compile(r"\s+(?:ROOT )?%([\w.-]+) = (\(.*?\)|\S+) ([\w-]+)\((.*)")
# These only name, bundle or take apart what other operations wrote; a loop's body counts itself.
_FREE = {"parameter", "constant", "tuple", "get-tuple-element", "bitcast", "iota", "while"}


class Kernels(NamedTuple):
    """What a program runs, loops' bodies once.

    Attributes:
      count: operations that run: fusions, calls of libraries, copies, all-reduces.
      bytes: their operands and results, each in whole.
    """

    count: int
    bytes: int


def all_reduce_bytes(hlo: str) -> list[int]:
    """Return the bytes that each all-reduce of a compiled program's text gives a device.

    One inside a loop is in the text once.
    """
    return [_size(found) for found in _ALL_REDUCE.findall(hlo)]


def kernels(hlo: str) -> Kernels:
    """Count what a compiled program's text runs.

    XLA's own estimate of bytes, which it does not give for a GPU that is only described, differs:
    of an operand of which a fusion reads a part, it counts that part.
    """
    # What is inside a fusion, or a reduction's sum, is none of its own.
    inside = set(re.findall(r"(?:calls|to_apply)=%([\w.-]+)", hlo))
    count = moved = 0
    for computation in re.split(r"^}", hlo, flags=re.MULTILINE):
        header = re.search(r"^(?:ENTRY )?%([\w.-]+) \(.*\{$", computation, re.MULTILINE)
        if header is None or header[1] in inside:
            continue
        sizes = {}
        for found in map(_OPERATION.match, computation[header.end() :].splitlines()):
            if found is None:
                continue
            name, result, operation, rest = found.groups()
            sizes[name] = _size(result)
            if operation not in _FREE and not operation.endswith("-done"):
                operands = re.findall(r"%([\w.-]+)", rest.partition("), ")[0])
                count += 1
                moved += sizes[name] + sum(sizes.get(operand, 0) for operand in operands)
    return Kernels(count, moved)


def _size(shapes: str) -> int:
    """Return the bytes of a result's type: one array, or a tuple of them."""
    return sum(
        _BYTES[dtype] * prod(int(n) for n in shape.split(",") if n)
        for dtype, shape in re.findall(r"(\w+)\[([\d,]*)\]", shapes)
        if dtype in _BYTES
    )
