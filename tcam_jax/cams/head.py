"""What a CAM method sees of the network above the features of one frame."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Float, Int

# A class, 0..k-1.
ClassIndex = Int[Array, ""] | int


class Head(NamedTuple):
    """The rest of the classifier, for one frame: everything above the features in question.

    Attributes:
      scores: features `[y, x, c]` to class logits `[k]` (before the softmax).
      maps: features `[y, x, c]` to native class maps `[y, x, k]`.
      kernel: W `[c, k]` where logits = mean(features) @ W + bias; None for any other head. It
        saves the backward pass: see `class_gradient`.
      gradient: features `[y, x, c]` and a class to the gradient `[y, x, c]` of its logit, where
        there is a better way than to differentiate `scores`; see `gradient_of`.
    """

    scores: Callable[[Array], Array]
    maps: Callable[[Array], Array]
    kernel: Float[Array, "c k"] | None = None
    gradient: Callable[[Array, ClassIndex], Array] | None = None


def linear_head(kernel: Float[Array, "c k"]) -> Head:
    """Return the WGAP head of `kernel [c, k]` (a bias changes no map)."""
    return Head(
        scores=lambda features: features.mean((0, 1)) @ kernel,
        maps=lambda features: features @ kernel,
        kernel=kernel,
    )


def gradient_of(
    scores: Callable[..., Array], *beside: Array
) -> Callable[[Array, ClassIndex], Array]:
    """Return a head's gradient: features `[y, x, c]` and a class to the gradient of its logit.

    Under `vmap` it is one vector-Jacobian product of the whole batch.

    Args:
      scores: features of a batch, `[b, y, x, c]`, and what stands beside them, to class logits
        `[b, k]`.
      beside: the one frame's, see `Encoder.beside`.
    """

    def of_batch(
        features: Float[Array, "b y x c"], classes: Int[Array, " b"], *beside: Array
    ) -> Array:
        logits, pull_back = jax.vjp(lambda features: scores(features, *beside), features)
        return pull_back(jax.nn.one_hot(classes, logits.shape[1], dtype=logits.dtype))[0]

    @custom_vmap
    def of_frame(*inputs: Array) -> Array:
        return of_batch(*(array[None] for array in inputs))[0]

    @of_frame.def_vmap
    def _(size: int, batched: list[bool], *inputs: Array) -> tuple[Array, bool]:
        filled = (
            array if has_batch else jnp.broadcast_to(array, (size, *array.shape))
            for array, has_batch in zip(inputs, batched, strict=True)
        )
        return of_batch(*filled), True

    return lambda features, class_index: of_frame(features, jnp.asarray(class_index), *beside)


def class_gradient(
    features: Float[Array, "y x c"], head: Head, class_index: ClassIndex
) -> Float[Array, "_ _ c"]:
    """Return the gradient of the class's logit with respect to the features.

    One vector-Jacobian product through the head. Where the head is linear in the spatial mean, the
    gradient is W[c, class] / (y x) at every place and no backward pass is needed: it comes as
    `[1, 1, c]`, which broadcasts, so that every formula written with it has its closed form.

    Returns:
      `[y, x, c]`, or `[1, 1, c]` for a linear head.
    """
    if head.kernel is not None:
        places = features.shape[0] * features.shape[1]
        return head.kernel[None, None, :, class_index] / places
    gradient = head.gradient or gradient_of(jax.vmap(head.scores))
    return gradient(features, class_index)


def weighted_sum(
    features: Float[Array, "y x c"], weights: Float[Array, "..."]
) -> Float[Array, "y x"]:
    """Sum the channels by `weights`: one a channel `[c]` or `[1, 1, c]`, or everywhere others."""
    if weights.shape == features.shape:
        return (features * weights).sum(-1)
    # "highest": on TPUs and with TF32 the default would round the factors of this small product.
    return jnp.einsum("yxc,c->yx", features, weights.reshape(-1), precision="highest")
