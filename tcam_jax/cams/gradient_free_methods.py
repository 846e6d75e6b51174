"""CAM methods that need no gradient: the head's own map, and those that look at or change features.

All take (features `[y, x, c]`, head, class index) and return the raw map `[y, x]`. Those that score
the frame behind masks: `cams.mask_methods`.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tcam_jax.cams.head import ClassIndex, Head, weighted_sum

# Channels changed and classified at once, a frame; more is faster where the memory allows.
CHANNELS_AT_ONCE = 16


def cam(
    features: Float[Array, "y x c"], head: Head, class_index: ClassIndex
) -> Float[Array, "y x"]:
    """CAM (Zhou et al., CVPR 2016): the head's own map of the class, unclipped, any range.

    For a head that is linear in the spatial mean: the features weighted by the class's kernel.
    """
    if head.kernel is not None:
        return weighted_sum(features, head.kernel[:, class_index])
    return head.maps(features)[..., class_index]


def eigencam(
    features: Float[Array, "y x c"], head: Head, class_index: ClassIndex
) -> Float[Array, "y x"]:
    """EigenCAM (Muhammad and Yeasin, IJCNN 2020): projection on the first right singular vector.

    The same for every class. As published, features are not centred; after a ReLU the projection
    A V_1 then has one sign, taken positive. A V_1 is sigma_1 U_1: whichever of A^T A and A A^T is
    smaller gives it.
    """
    del head, class_index
    flat = features.reshape(-1, features.shape[-1])
    multiply = partial(jnp.matmul, precision="highest")
    if flat.shape[0] > flat.shape[1]:
        projection = multiply(flat, jnp.linalg.eigh(multiply(flat.T, flat))[1][:, -1])
    else:
        values, vectors = jnp.linalg.eigh(multiply(flat, flat.T))
        # Without the singular value, features that are zero would have a map.
        projection = vectors[:, -1] * jnp.sqrt(jnp.maximum(values[-1], 0))
    projection *= jnp.where(projection.sum() < 0, -1, 1)
    return projection.reshape(features.shape[:2])


def ablationcam(
    features: Float[Array, "y x c"], head: Head, class_index: ClassIndex
) -> Float[Array, "y x"]:
    """AblationCAM (Desai and Ramaswamy, WACV 2020): channels weighted by what their loss costs.

    The published weight is that drop of the logit divided by the logit, a factor that the
    normalisation removes, but which would turn the map around where the logit is negative: it is
    left out. For a linear head the drop is W[c, class] times the channel's mean. In bfloat16,
    drops through several layers are smaller than what is rounded away: use float32.
    """
    if head.kernel is not None:
        drops = head.kernel[:, class_index] * features.mean((0, 1))
        return jax.nn.relu(weighted_sum(features, drops))

    def without(channel: Array) -> Array:
        return head.scores(features.at[:, :, channel].set(0))[class_index]

    channels = jnp.arange(features.shape[-1])
    remaining = jax.lax.map(without, channels, batch_size=CHANNELS_AT_ONCE)
    return jax.nn.relu(weighted_sum(features, head.scores(features)[class_index] - remaining))


def rollout(features: Float[Array, "y x 1"], head: Head, class_index: ClassIndex) -> Array:
    """Return a transformer's attention rollout, which it made itself: one map for all classes.

    Source: Abnar and Zuidema, ACL 2020, equation 1, with the mean of the heads.
    """
    del head, class_index
    return features[..., 0]
