"""CAM methods as pure functions of one frame's features and the head's kernel.

For the WGAP head (spatial mean, then linear), the gradient of a class's logit with respect to the
features is constant in space, w[c, class] / (y x): gradient-based methods have closed forms and
need no backward pass. Positive factors vanish in the min-max normalisation and are left out.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def cam(
    features: Float[Array, "y x c"], kernel: Float[Array, "c k"], class_index: Int[Array, ""] | int
) -> Float[Array, "y x"]:
    """CAM (Zhou et al., 2016): the features weighted by the class's head weights, unclipped.

    Args:
      features: last encoder stage of one frame, `[y, x, c]`.
      kernel: the linear head's kernel, `[c, k]`.
      class_index: the class, 0..k-1.

    Returns:
      The raw map `[y, x]`, any range.
    """
    return jnp.einsum("yxc,c->yx", features, kernel[:, class_index])


def layercam(
    features: Float[Array, "y x c"], kernel: Float[Array, "c k"], class_index: Int[Array, ""] | int
) -> Float[Array, "y x"]:
    """LayerCAM (Jiang et al., 2021): relu(sum_c relu(gradient_c) A_c), gradient_c = w_c / (y x).

    Arguments and result as for `cam`; the map is >= 0.
    """
    weights = jax.nn.relu(kernel[:, class_index])
    return jax.nn.relu(jnp.einsum("yxc,c->yx", features, weights))


# A map whose range is a smaller share of its largest magnitude than this is constant.
CONSTANT_SPAN = 1e-5

CAM_METHODS = {"cam": cam, "layercam": layercam}


def min_max(raw: Float[Array, "y x"]) -> Float[Array, "y x"]:
    """Scale a map to 0..1; a constant map, which says nothing, becomes zeros (never NaN).

    Constant means: to within float32 rounding of the sums that made it, else a constant frame
    would give a map of amplified rounding errors.
    """
    shifted = raw - raw.min()
    span = shifted.max()
    varies = span > CONSTANT_SPAN * jnp.abs(raw).max()
    return jnp.where(varies, shifted / jnp.where(varies, span, 1), 0)


def class_activation_map(
    method: str,
    features: Float[Array, "y x c"],
    kernel: Float[Array, "c k"],
    class_index: Int[Array, ""] | int,
) -> Float[Array, "y x"]:
    """Return the normalised map, 0..1, of one frame for one class by `CAM_METHODS[method]`.

    Features of any float dtype; the map is computed in float32.
    """
    raw = CAM_METHODS[method](features.astype(kernel.dtype), kernel, class_index)
    return min_max(raw)
