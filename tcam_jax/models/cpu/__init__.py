"""What is computed otherwise on a CPU, and only there.

Where JAX's default backend is a CPU, the networks' convolutions and max-pooling are those of this
package: 3x3 convolutions by Winograd's filtering, those to few channels as products and shifted
sums, as depthwise ones are, gradients of kernels as matrix products, max-pooling that remembers the
place of each maximum; and batch norm takes its statistics in two passes. XLA's own take up to
several times as long there. Anywhere else the network is plain `lax`: convolutions, products and
window reductions.

Both have the same parameters, and differ by rounding (1e-5). Those of this package know their first
gradient only, backwards. `TCAM_CPU_KERNELS=0` in the environment switches them off: for `jax.jvp`,
`jax.hessian` and `jax.linearize` on a CPU, or to see whether a result depends on them.

The choice is made while a program is traced. So one traced on a CPU for another device
(`lowering_platforms`) has to be traced in `traced_for("cuda")`; `predict.exported` does so.
"""

import os

import jax

from tcam_jax.runtime.errors import InputError

_SWITCH = "TCAM_CPU_KERNELS"

traced_for = jax.make_user_context(None)
"""`with traced_for("cuda"):` chooses as where the default backend is that platform.

A jitted function is traced again in it: JAX looks its programs up by this context, too.
"""


def chosen() -> bool:
    """Tell whether what is traced now is to be computed by this package.

    Raises:
      InputError: the environment's TCAM_CPU_KERNELS is neither 0 nor 1.
    """
    switch = os.environ.get(_SWITCH, "1")
    if switch not in ("0", "1"):
        raise InputError(
            f"{_SWITCH} must be 1 (as if unset: a CPU's own kernels on CPUs) or 0 (the same "
            f"operations everywhere); got {switch!r}."
        )
    return switch == "1" and (traced_for.value or jax.default_backend()) == "cpu"
