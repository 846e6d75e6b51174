"""A network as one function of its variables and frames, for the devices it is exported to."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import export, lax

from tcam_jax.evaluate.maps import PREDICTED, make_forward
from tcam_jax.models import cpu
from tcam_jax.models.tcam import TCAM, Variables

PLATFORMS = ("cpu", "cuda", "tpu")

Program = Callable[[Variables, Any], tuple[jax.Array, jax.Array]]
"""(variables, uint8 frames [b, size, size, 3]) -> (float32 logits [b, k], uint8 maps [b, size,
size])."""


def plain(model: TCAM, method: str, platform: str = "cuda") -> Program:
    """Return the network as it is traced for `platform`, whatever this machine is.

    Args:
      model: the network.
      method: what its maps are, see `evaluate.maps`; a CAM is the predicted class's.
      platform: for any but "cpu", nothing of `models.cpu` is in it.
    """
    forward = make_forward(model, (method,))

    def run(variables: Variables, frames: jax.Array) -> tuple[jax.Array, jax.Array]:
        classes = jnp.full(frames.shape[0], PREDICTED, jnp.int32)
        with cpu.traced_for(platform):
            outputs = forward(variables, frames, classes)
        return outputs.logits.astype(jnp.float32), outputs.maps[0]

    return run


def for_all_platforms(model: TCAM, method: str) -> Program:
    """Return the network as each of `PLATFORMS` computes it; which one is known when it runs."""
    on_cpu, elsewhere = plain(model, method, "cpu"), plain(model, method)

    def run(variables: Variables, frames: jax.Array) -> tuple[jax.Array, jax.Array]:
        outputs = lax.platform_dependent(variables, frames, cpu=on_cpu, default=elsewhere)
        return outputs[0], outputs[1]

    return run


def check_shapes(
    about: Mapping[str, Any],
    frames: Sequence[Any],
    logits: Sequence[Any],
    maps: Sequence[Any],
) -> None:
    """Refuse a program that is not of what model.json says.

    Args:
      about: `size` and `classes`.
      frames, logits, maps: the shapes that the program takes and gives, the batch first; what is
        no number, in any of them, is not known.

    Raises:
      ValueError: they are others.
    """
    size, k = about["size"], len(about["classes"])
    found = [list(shape)[1:] for shape in (frames, logits, maps)]
    expected = [size, size, 3], [k], [size, size]
    if any(
        len(of_one) != len(wanted)
        or any(type(n) is int and n != w for n, w in zip(of_one, wanted, strict=True))
        for of_one, wanted in zip(found, expected, strict=True)
    ):
        raise ValueError(
            f"it takes frames {found[0]} and gives logits {found[1]} and maps {found[2]}, but "
            f"model.json has size {size} and {k} classes"
        )


def any_frames(size: int) -> jax.ShapeDtypeStruct:
    """Return the shape of any number of frames, uint8 [b, size, size, 3]."""
    (batch,) = export.symbolic_shape("b")
    return jax.ShapeDtypeStruct((batch, size, size, 3), jnp.uint8)
