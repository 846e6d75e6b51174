"""What this machine can do: the fastest matrix product and copy measured here, not a data sheet."""

import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

_SIDE = {"cpu": 2048}  # of the matrices; a CPU takes as long for these as a GPU for those below
_LARGE_SIDE = 8192
_COPIED_BYTES = {"cpu": 2**28}
_LARGE_COPY = 2**31
_REPEATS = 10


def ceilings(dtype: DTypeLike) -> dict[str, float]:
    """Measure one device; the best of several calls counts.

    Args:
      dtype: of the matrices.

    Returns:
      "flops_per_s" of a product of two square matrices, "bytes_per_s" read and written by a sum of
      a large array and a number.
    """
    platform = jax.default_backend()
    side = _SIDE.get(platform, _LARGE_SIDE)
    # Random: a GPU multiplies constants with less power, hence faster.
    matrix = jax.random.normal(jax.random.key(0), (side, side), dtype)
    product = jax.jit(lambda a, b: a @ b)
    array = jnp.zeros(_COPIED_BYTES.get(platform, _LARGE_COPY) // 4, jnp.float32)
    add = jax.jit(lambda x: x + 1)
    return {
        "flops_per_s": 2 * side**3 / _fastest(lambda: product(matrix, matrix)),
        "bytes_per_s": 2 * array.nbytes / _fastest(lambda: add(array)),
    }


def _fastest(run: Callable[[], jax.Array]) -> float:
    seconds = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        run().block_until_ready()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
