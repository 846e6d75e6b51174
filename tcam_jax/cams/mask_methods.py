"""CAM methods that weight the channels by what the frame scores behind each of them as a mask.

A channel, enlarged to the frame and scaled to 0..1, masks the frame. The softmax over the channels
of the masked frames' logits gives the weights (the published baseline's score is the same for all
channels and drops out). One forward pass a channel, or several: slow. So many at once are computed
as `CHANNELS_AT_ONCE` says, which bounds the memory.

All take the features `[y, x, c]` of a frame, the frame `[h, w, 3]` (normalised), `scores`
(normalised frame to class logits `[k]`) and the class, and return the raw map `[y, x]`, >= 0.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from tcam_jax.cams.gradient_free_methods import CHANNELS_AT_ONCE
from tcam_jax.cams.head import ClassIndex, weighted_sum
from tcam_jax.cams.normalise import min_max

Scores = Callable[[Array], Array]

# SS-CAM: noisy versions of a mask, and the noise's standard deviation where masks are 0..1.
NOISY_MASKS = 10
MASK_NOISE_STD = 2.0
# IS-CAM: steps of the integration.
STEPS = 10


def scorecam(
    features: Float[Array, "y x c"],
    frame: Float[Array, "h w 3"],
    scores: Scores,
    class_index: ClassIndex,
) -> Float[Array, "y x"]:
    """ScoreCAM (Wang et al., CVPRW 2020): channels weighted by the frame's score behind them."""
    return _weighted(features, frame, lambda mask, _: scores(frame * mask[:, :, None])[class_index])


def sscam(
    features: Float[Array, "y x c"],
    frame: Float[Array, "h w 3"],
    scores: Scores,
    class_index: ClassIndex,
    key: Key[Array, ""],
) -> Float[Array, "y x"]:
    """SS-CAM (Wang et al., 2020), its first form: ScoreCAM with scores averaged over noisy masks.

    Normal noise of deviation `MASK_NOISE_STD` is added to each mask `NOISY_MASKS` times.

    Args:
      features, frame, scores, class_index: as of `scorecam`.
      key: of the noise, of which every channel has its own.
    """

    def score(mask: Array, channel: Array) -> Array:
        keys = jax.random.split(jax.random.fold_in(key, channel), NOISY_MASKS)

        def noisy(key: Array) -> Array:
            noise = MASK_NOISE_STD * jax.random.normal(key, mask.shape, mask.dtype)
            return scores(frame * (mask + noise)[:, :, None])[class_index]

        return jax.lax.map(noisy, keys).mean()

    return _weighted(features, frame, score)


def iscam(
    features: Float[Array, "y x c"],
    frame: Float[Array, "h w 3"],
    scores: Scores,
    class_index: ClassIndex,
) -> Float[Array, "y x"]:
    """IS-CAM (Naidu et al., 2020): ScoreCAM with scores averaged while the mask is built up.

    After step i of N (`STEPS`) the mask is (1 + 2 + ... + i) / N times the channel's, as in
    torch-cam's code: it ends at (N + 1) / 2 times that, beyond 1.
    """
    sizes = jnp.cumsum(jnp.arange(1, STEPS + 1)) / STEPS

    def score(mask: Array, _: Array) -> Array:
        masked = frame * mask[:, :, None]
        return jax.lax.map(lambda size: scores(size * masked)[class_index], sizes).mean()

    return _weighted(features, frame, score)


def _weighted(
    features: Float[Array, "y x c"],
    frame: Float[Array, "h w 3"],
    score: Callable[[Array, Array], Array],
) -> Float[Array, "y x"]:
    """Sum the channels by the softmax of their scores; `score`: mask `[h, w]`, channel's number."""

    def of_channel(channel: Array) -> Array:
        enlarged = jax.image.resize(features[:, :, channel], frame.shape[:2], "linear")
        return score(min_max(enlarged), channel)

    channels = jnp.arange(features.shape[-1])
    logits = jax.lax.map(of_channel, channels, batch_size=CHANNELS_AT_ONCE)
    return jax.nn.relu(weighted_sum(features, jax.nn.softmax(logits)))
