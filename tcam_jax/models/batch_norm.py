"""Batch normalisation as the reference trains it: synchronised, with torch's running variance.

The batch's statistics are computed in one of two ways, which differ by rounding:

- On a CPU the mean first, then the mean square of the deviations from it: two passes over the
  activations, and two sums over the devices.
- On accelerators, which wait for memory and for each other, both moments in one pass and one sum;
  so backwards. E[x^2] - E[x]^2 cancels where the mean is large beside the deviation; so deviations
  are taken from the running mean, which is near: E[(x - r)^2] - (E[x] - r)^2.
"""

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
            mean, var, count = self._batch_statistics(x.astype(scale.dtype), running_mean.value)
            unbiased = var * (count / max(count - 1, 1))
            running_mean.value = self._blend(running_mean.value, mean)
            running_var.value = self._blend(running_var.value, unbiased)
        else:
            mean, var = running_mean.value, running_var.value

        factor = scale * lax.rsqrt(var + self.epsilon)
        # Rounded to `dtype` at the end: a bfloat16 offset would cancel badly where means are large.
        return (x.astype(scale.dtype) * factor + (bias - mean * factor)).astype(self.dtype)

    def affine(self) -> tuple[Float[Array, " c"], Float[Array, " c"]]:
        """Return factor and offset of each channel where the running statistics are used.

        Only of variables that are there already.
        """
        scale, bias = (self.get_variable("params", name) for name in ("scale", "bias"))
        mean, var = (self.get_variable("batch_stats", name) for name in ("mean", "var"))
        factor = scale * lax.rsqrt(var + self.epsilon)
        return factor, bias - mean * factor

    def _batch_statistics(self, x: Array, shift: Array) -> tuple[Array, Array, int]:
        """Return mean, biased variance and count over all devices; see the module for the ways."""
        axes = tuple(range(x.ndim - 1))
        count = x.size // x.shape[-1]
        if self.axis_name is not None:
            count = count * lax.axis_size(self.axis_name)
        if cpu.chosen():
            mean = self._over_devices(x.mean(axes))
            # Its gradient with respect to the mean is zero, for the deviations sum up to zero. Only
            # a second derivative needs that term, and a CPU takes time for it.
            deviations = x - lax.stop_gradient(mean)
            return mean, self._over_devices(jnp.square(deviations).mean(axes)), count
        deviations = x - lax.stop_gradient(shift)
        moments = jnp.stack([deviations.mean(axes), jnp.square(deviations).mean(axes)])
        first, second = self._over_devices(moments)
        # Rounding can leave a channel that never varies a little below 0.
        return shift + first, jnp.maximum(second - jnp.square(first), 0), count

    def _over_devices(self, mean: Array) -> Array:
        return mean if self.axis_name is None else lax.pmean(mean, self.axis_name)

    def _blend(self, old: Array, new: Array) -> Array:
        return self.momentum * old + (1 - self.momentum) * jax.lax.stop_gradient(new)
