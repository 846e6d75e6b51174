"""Batch normalisation as the reference trains it: synchronised, with torch's running variance."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from tcam_jax.models import cpu


class BatchNorm(nn.Module):
    """Normalises over every axis but the last, and over devices when `axis_name` is set.

    Differs from `flax.linen.BatchNorm` in one number that matters for parity with published
    weights: the running variance is updated with the *unbiased* batch variance, n / (n - 1) times
    the biased one which normalises the batch (as torch.nn.BatchNorm2d does).

    Statistics are float32 whatever `dtype` is, else bfloat16 would lose the small differences.

    Attributes:
      train: use the batch's statistics and update the running ones, or use the running ones.
      axis_name: name of the mapped device axis over which statistics are shared, or None.
      dtype: dtype of the output; parameters and statistics stay as initialised.
      momentum: share of the old running value kept at each update (torch's 0.1 is 0.9 here).
      epsilon: added to the variance before the square root.
    """

    train: bool
    axis_name: str | None = None
    dtype: DTypeLike = jnp.float32
    momentum: float = 0.9
    epsilon: float = 1e-5

    @nn.compact
    def __call__(self, x: Float[Array, "*b c"]) -> Float[Array, "*b c"]:
        """Normalise `x [..., c]`; returns the same shape in `dtype`."""
        channels = x.shape[-1]
        scale = self.param("scale", nn.initializers.ones, (channels,))
        bias = self.param("bias", nn.initializers.zeros, (channels,))
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, (channels,))
        running_var = self.variable("batch_stats", "var", jnp.ones, (channels,))

        if self.train and not self.is_initializing():
            mean, var, count = self._batch_statistics(x.astype(scale.dtype))
            unbiased = var * (count / max(count - 1, 1))
            running_mean.value = self._blend(running_mean.value, mean)
            running_var.value = self._blend(running_var.value, unbiased)
        else:
            mean, var = running_mean.value, running_var.value

        factor = scale * lax.rsqrt(var + self.epsilon)
        # Rounded to `dtype` at the end: a bfloat16 offset would cancel badly where means are large.
        return (x.astype(scale.dtype) * factor + (bias - mean * factor)).astype(self.dtype)

    def _batch_statistics(self, x: Array) -> tuple[Array, Array, int]:
        axes = tuple(range(x.ndim - 1))
        mean = x.mean(axes)
        count = x.size // x.shape[-1]
        if self.axis_name is not None:
            mean = lax.pmean(mean, self.axis_name)
            count = count * lax.axis_size(self.axis_name)
        # The mean first, then deviations from it: E[x^2] - E[x]^2 would cancel in float32.
        # Its gradient with respect to the mean is zero, for the deviations sum up to zero. Only a
        # second derivative needs that term, and a CPU takes time for it.
        center = lax.stop_gradient(mean) if cpu.chosen() else mean
        var = jnp.square(x - center).mean(axes)
        if self.axis_name is not None:
            var = lax.pmean(var, self.axis_name)
        return mean, var, count

    def _blend(self, old: Array, new: Array) -> Array:
        return self.momentum * old + (1 - self.momentum) * jax.lax.stop_gradient(new)
