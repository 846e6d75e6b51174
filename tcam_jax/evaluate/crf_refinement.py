"""A map of logits refined by the frame: mean-field inference in a dense CRF of two classes.

The decoder's map is smooth; objects end where colours do. With z the map's logit differences, K the
Gaussian kernel of colours and places of the CRF loss, divided by its row sums, a few rounds of

    z <- unary + WEIGHT * K tanh(z / 2)

pull pixels of like colour and nearby place to one label (Potts' model: tanh(z / 2) is the
probability of the foreground minus that of the background).

Source: Krähenbühl and Koltun, "Efficient inference in fully connected CRFs with Gaussian edge
potentials", NeurIPS 2011.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tcam_jax.losses.crf import REFERENCE_SIZE
from tcam_jax.losses.kernels.energy import Kernel, pairwise_energy

# The bandwidths are the CRF loss's; half of that of colour is as good, at four times the time.
SIGMA_RGB = 15.0  # levels of 0..255
SIGMA_XY = 100.0  # pixels, of a frame of 224
WEIGHT = 5.0  # nats, where all around are of one label; chosen on moving_photos' validation split
ROUNDS = 5


def refine(z: Float[Array, "h w"], image: Float[Array, "h w 3"]) -> Float[Array, "h w"]:
    """Return the refined logit differences, foreground minus background, of one frame.

    Args:
      z: the map's, nats.
      image: the frame, RGB, 0..255.
    """
    kernel = Kernel(SIGMA_RGB, SIGMA_XY * z.shape[1] / REFERENCE_SIZE)
    everywhere = jnp.ones_like(z)

    def filtered(values: Array) -> Array:  # the energy's gradient is the kernel's product
        return -jax.grad(lambda d: pairwise_energy(image, everywhere, d, kernel))(values)

    sums = filtered(everywhere)
    refined = z
    for _ in range(ROUNDS):
        refined = z + WEIGHT * filtered(jnp.tanh(refined / 2)) / sums
    return refined
