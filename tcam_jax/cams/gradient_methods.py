"""CAM methods that weight the features of one frame by the gradient of a class's logit.

All take (features `[y, x, c]`, head, class index) and return the raw map `[y, x]`, >= 0: a ReLU
ends each, as published. Positive factors vanish in the min-max normalisation and are left out.

For a head that is linear in the spatial mean (WGAP, GAP) the gradient g_c = W[c, class] / (y x) is
the same at every place, and the formulas become, with S_c the sum of channel c over the places:

    GradCAM = XGradCAM    relu(sum_c g_c A_c), the positive part of CAM
    LayerCAM              sum_c relu(g_c) A_c                        (A >= 0 after a ReLU)
    GradCAM++             sum_c relu(g_c) / (2 + g_c S_c) A_c
    Smooth GradCAM++      the same: g does not depend on the noise
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tcam_jax.cams.head import ClassIndex, Head, class_gradient, weighted_sum


def gradcam(
    features: Float[Array, "y x c"], head: Head, class_index: ClassIndex
) -> Float[Array, "y x"]:
    """GradCAM (Selvaraju et al., ICCV 2017): channels weighted by their mean gradient."""
    weights = class_gradient(features, head, class_index).mean((0, 1))
    return jax.nn.relu(weighted_sum(features, weights))


def xgradcam(
    features: Float[Array, "y x c"], head: Head, class_index: ClassIndex
) -> Float[Array, "y x"]:
    """XGradCAM (Fu et al., BMVC 2020): the mean gradient, each place weighted by its activation.

    A channel whose activations add up to zero gets no weight.
    """
    gradient = class_gradient(features, head, class_index)
    total = features.sum((0, 1))
    weights = (gradient * features).sum((0, 1)) / jnp.where(total == 0, 1, total)
    return jax.nn.relu(weighted_sum(features, jnp.where(total == 0, 0, weights)))


def layercam(
    features: Float[Array, "y x c"], head: Head, class_index: ClassIndex
) -> Float[Array, "y x"]:
    """LayerCAM (Jiang et al., TIP 2021): every place weighted by its own positive gradient."""
    weights = jax.nn.relu(class_gradient(features, head, class_index))
    return jax.nn.relu(weighted_sum(features, weights))


def gradcampp(
    features: Float[Array, "y x c"], head: Head, class_index: ClassIndex
) -> Float[Array, "y x"]:
    """GradCAM++ (Chattopadhay et al., WACV 2018, equation 19).

    A channel's weight is the mean of alpha relu(g), alpha = g^2 / (2 g^2 + S g^3) with S the sum of
    the channel's activations. Written as g / (2 + S g) where g > 0: the powers of small gradients
    would vanish in float32.
    """
    gradient = class_gradient(features, head, class_index)
    divisor = 2 + features.sum((0, 1)) * gradient
    weights = jax.nn.relu(gradient) / jnp.where(divisor == 0, 1, divisor)
    return jax.nn.relu(weighted_sum(features, weights.mean((0, 1))))


def gradcampp_reference(
    features: Float[Array, "y x c"], head: Head, class_index: ClassIndex
) -> Float[Array, "y x"]:
    """GradCAM++ as the authors of TCAM (and torch-cam) compute it: alpha without its denominator.

    Their division acts on a copy and is lost, so a channel's weight is the mean of relu(g)^3. Only
    for comparison with published numbers.
    """
    gradient = _unit_range(class_gradient(features, head, class_index))[0]
    weights = (jax.nn.relu(gradient) ** 3).mean((0, 1))
    return jax.nn.relu(weighted_sum(features, weights))


def smoothgradcampp(
    features: Float[Array, "y x c"],
    noisy_features: Float[Array, "s y x c"],
    head: Head,
    class_index: ClassIndex,
) -> Float[Array, "y x"]:
    """Smooth GradCAM++ (Omeiza et al., 2019): GradCAM++ with gradients averaged over noisy frames.

    With D1, D2, D3 the means of g, g^2, g^3 over the s noisy versions of the frame, a channel's
    weight is the mean of alpha relu(D1), alpha = D2 / (2 D2 + S D3). S, and what is weighted, are
    the features of the frame itself. (The paper prints D1 as alpha's numerator; D2 is what its
    derivation from GradCAM++ gives. The reference and torch-cam use the last noisy frame's
    gradient for D1, and its features for the sum.)

    Args:
      features: of the frame itself, `[y, x, c]`.
      noisy_features: of the frame plus noise, s times, `[s, y, x, c]`.
      head, class_index: as for the other methods.
    """
    gradients = jax.vmap(lambda noisy: class_gradient(noisy, head, class_index))(noisy_features)
    gradients, scale = _unit_range(gradients)
    first, second, third = ((gradients**power).mean(0) for power in (1, 2, 3))
    divisor = 2 * second + features.sum((0, 1)) * scale * third
    weights = second * jax.nn.relu(first) / jnp.where(divisor == 0, 1, divisor)
    return jax.nn.relu(weighted_sum(features, weights.mean((0, 1))))


def _unit_range(gradient: Array) -> tuple[Array, Array]:
    """Return the gradient divided by its largest magnitude (powers would vanish), and that."""
    scale = jnp.abs(gradient).max()
    return gradient / jnp.where(scale == 0, 1, scale), scale
