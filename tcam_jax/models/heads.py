"""Classification heads: features in, class logits out."""

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float


class WGAP(nn.Module):
    """Weighted global average pooling: the spatial mean, then one linear layer.

    The head of every CAM method in the paper (Zhou et al., 2016). Its kernel `fc/kernel [c, k]`
    weights the feature channels of a class: that weighted sum is the class's CAM.

    Attributes:
      num_classes: k.
      dtype: dtype of the computation; logits are returned in float32.
    """

    num_classes: int
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, features: Float[Array, "b y x c"]) -> Float[Array, "b k"]:
        """Map `features [b, y, x, c]` to class logits `[b, k]`, float32."""
        pooled = features.mean((1, 2), dtype=jnp.float32)
        logits = nn.Dense(
            self.num_classes,
            dtype=self.dtype,
            kernel_init=nn.initializers.xavier_uniform(),
            name="fc",
        )(pooled.astype(self.dtype))
        return logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
