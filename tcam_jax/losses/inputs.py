"""What every loss term receives."""

from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

T = TypeVar("T")


class Window(NamedTuple):
    """The decoded frames of the windows; only there for losses that look at several frames.

    Attributes:
      map_logits: decoder output `[b, t, h, w, 2]`, in temporal order.
      images: frames `[b, t, h, w, 3]`, 0..255.
      valid: `[b, t]`, False for slots outside the shot (they repeat the target frame).
    """

    map_logits: Float[Array, "b t h w 2"]
    images: Float[Array, "b t h w 3"]
    valid: Bool[Array, "b t"]


class LossInputs(NamedTuple):
    """One batch (or one device's part of it), as the loss terms see it.

    Attributes:
      map_logits: decoder output for the labelled frames `[b, h, w, 2]`, float, before the softmax;
        last axis (background, foreground).
      images: these frames `[b, h, w, 3]`, float, 0..255: augmented like the maps, not normalised.
      seeds: pseudo-labels `[b, h, w]`, int32: 1 foreground, 0 background, -255 unlabelled.
      barrier_t: sharpness of the log-barriers in this epoch, float scalar.
      object_box: `[b, h, w]`, True in the box of the region that foreground seeds are drawn from,
        see `pseudo_labels.roi.object_box`; None where no loss needs it.
      window: all frames of the windows; None where no loss needs them.
      valid: `[b]`, False for samples that do not count, such as frames of windows beyond their
        shots' ends (they repeat another frame); None: all count.

    Where all frames of the windows are labelled (`config.tcam.window.labelled`), each is a sample:
    b is then the number of windows times their frames.
    """

    map_logits: Float[Array, "b h w 2"]
    images: Float[Array, "b h w 3"]
    seeds: Int[Array, "b h w"]
    barrier_t: Float[Array, ""]
    object_box: Bool[Array, "b h w"] | None = None
    window: Window | None = None
    valid: Bool[Array, " b"] | None = None


def summed(
    values: Float[Array, "b *rest"], inputs: LossInputs
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Return the sum of the values of all samples that count, and the number of these values."""
    if inputs.valid is None:
        return values.sum(), jnp.asarray(values.size, values.dtype)
    valid = jnp.expand_dims(inputs.valid, tuple(range(1, values.ndim)))
    each = values.size // len(values)
    return jnp.where(valid, values, 0).sum(), (valid.sum() * each).astype(values.dtype)


def required(part: T | None, name: str) -> T:
    """Return a part of `LossInputs` that a loss cannot do without.

    Raises:
      ValueError: it is not there.
    """
    if part is None:
        raise ValueError(
            f"The loss needs LossInputs.{name}, which is None: give it. Windows are decoded for "
            "the losses named in WINDOW_LOSSES of tcam_jax/losses/objective.py."
        )
    return part


def probabilities(map_logits: Float[Array, "*shape 2"]) -> Float[Array, "*shape 2"]:
    """Return the (background, foreground) probabilities, in float32 at least."""
    return jax.nn.softmax(in_full_precision(map_logits))


def in_full_precision(map_logits: Float[Array, "*shape 2"]) -> Float[Array, "*shape 2"]:
    """Return the logits in float32, or as they are in float64: sums over pixels need it."""
    return map_logits.astype(jnp.promote_types(map_logits.dtype, jnp.float32))
