"""The block of a vision transformer: attention and a perceptron.

Source: Dosovitskiy et al., ICLR 2021; Touvron et al., ICCV 2021 (layer scale).
"""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Array, Float

draw_weights = nn.initializers.truncated_normal(0.02)


class TransformerBlock(nn.Module):
    """Attention and a two-layer perceptron, each behind a norm and added to its input.

    Attributes:
      heads: of the attention.
      layer_scale: whether what is added is scaled, channel by channel (DINOv2).
      dtype: of the computation.
    """

    heads: int
    layer_scale: bool
    dtype: DTypeLike

    @nn.compact
    def __call__(
        self, x: Float[Array, "b t c"], patches: Float[Array, "b p c"] | None = None
    ) -> tuple[Float[Array, "b t c"], Float[Array, "b t t"], Float[Array, "b t c"]]:
        """Return the tokens, the attention's weights (the mean of the heads), and what it sees.

        `patches`: what it sees of the last tokens, the patches', if not their norm.
        """
        channels = x.shape[-1]
        normed = layer_norm(self.dtype, "norm_attention")(x)
        if patches is not None:
            normed = jnp.concatenate([normed[:, : -patches.shape[1]], patches], axis=1)
        added, attention = self._attend(normed)
        x += self._scale("scale_attention", added)
        y = _dense(4 * channels, self.dtype, "fc1")(layer_norm(self.dtype, "norm_mlp")(x))
        y = _dense(channels, self.dtype, "fc2")(_gelu(y))
        return x + self._scale("scale_mlp", y), attention, normed

    def _attend(self, x: Array) -> tuple[Array, Array]:
        b, t, c = x.shape
        qkv = _dense(3 * c, self.dtype, "qkv")(x).reshape(b, t, 3, self.heads, c // self.heads)
        q, k, v = qkv.transpose(2, 0, 3, 1, 4)
        scores = q / np.sqrt(c // self.heads).astype(x.dtype) @ k.swapaxes(-1, -2)
        scores = scores.astype(jnp.promote_types(x.dtype, jnp.float32))
        # A softmax, divided by its sum after the product: that is the smaller one.
        weights = jnp.exp(scores - lax.stop_gradient(scores.max(-1, keepdims=True)))
        total = weights.sum(-1, keepdims=True)
        mixed = (weights.astype(x.dtype) @ v / total).astype(x.dtype)
        mixed = mixed.transpose(0, 2, 1, 3).reshape(b, t, c)
        return _dense(c, self.dtype, "proj")(mixed), (weights / total).mean(1)

    def _scale(self, name: str, x: Array) -> Array:
        if not self.layer_scale:
            return x
        return self.param(name, nn.initializers.constant(1e-5), x.shape[-1:]).astype(x.dtype) * x


def _gelu(x: Array) -> Array:
    """Return x times the normal distribution's share below it."""
    # jax.nn.gelu has erfc, whose two branches take twice the time of erf.
    return x * (1 + lax.erf(x * np.sqrt(0.5).astype(x.dtype))) / 2


def layer_norm(dtype: DTypeLike, name: str) -> nn.LayerNorm:
    """Return a norm over the channels, as transformers of images have it."""
    return nn.LayerNorm(epsilon=1e-6, dtype=dtype, name=name)


def _dense(features: int, dtype: DTypeLike, name: str) -> nn.Dense:
    return nn.Dense(features, dtype=dtype, kernel_init=draw_weights, name=name)
