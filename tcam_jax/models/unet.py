"""The U-Net decoder: encoder features in, two map logits (background, foreground) a pixel out.

Source: TCAM section 3 (decoder of F-CAM, Belharbi et al., 2022); widths and resampling as in the
reference implementation.
"""

from collections.abc import Mapping

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from tcam_jax.models.batch_norm import BatchNorm
from tcam_jax.models.encoders.encoder import Feature
from tcam_jax.models.layers import Conv, normalised

WIDTHS = (256, 128, 64, 32, 16)
WIDTHS_OF_ONE_SIZE = (192, 96, 48, 2)

# Kaiming uniform for ReLU: bound sqrt(6 / fan_in).
_init_conv = nn.initializers.variance_scaling(2.0, "fan_in", "uniform")


def align_corners_matrix(source: int, target: int) -> np.ndarray:
    """Return the `[target, source]` matrix of 1-D linear resampling with aligned corners.

    Output i samples the source at i * (source - 1) / (target - 1), as torch's
    `interpolate(mode="bilinear", align_corners=True)` does on each axis.
    """
    position = np.arange(target) * ((source - 1) / max(target - 1, 1))
    low = np.minimum(position.astype(int), source - 1)
    high = np.minimum(low + 1, source - 1)
    fraction = position - low
    matrix = np.zeros((target, source))
    np.add.at(matrix, (np.arange(target), low), 1 - fraction)
    np.add.at(matrix, (np.arange(target), high), fraction)
    return matrix


def resize_align_corners(
    x: Float[Array, "b h w c"], size: tuple[int, int]
) -> Float[Array, "b h2 w2 c"]:
    """Resize `x [b, h, w, c]` bilinearly to `size` (height, width) with aligned corners."""
    if x.shape[1:3] == size:
        return x
    rows = jnp.asarray(align_corners_matrix(x.shape[1], size[0]), x.dtype)
    columns = jnp.asarray(align_corners_matrix(x.shape[2], size[1]), x.dtype)
    return jnp.einsum("ih,bhwc,jw->bijc", rows, x, columns, precision="highest")


def upsample_to(x: Float[Array, "b h w c"], size: tuple[int, int]) -> Float[Array, "b h2 w2 c"]:
    """Double `x` by nearest neighbour, then bring it to `size` with aligned corners.

    Where `size` is x's own size, the two undo each other exactly (every bilinear pair of taps falls
    on copies of one pixel), so nothing is computed: the case of the two deepest blocks.
    """
    if x.shape[1:3] == size:
        return x
    doubled = jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)
    return resize_align_corners(doubled, size)


class UNetDecoder(nn.Module):
    """Blocks of upsampling, concatenation with a skip, and two 3x3 convolutions.

    From a pyramid of features: one block for each but the last, from coarse to fine, and one
    without a skip where the finest is not yet of the frame's size. From features of one size, as a
    vision transformer's: four blocks without skips from the last of them, as in TrCAM-V (Murtaza et
    al., ANNPR 2024).

    Attributes:
      features: what the encoder declares.
      width_multiplier: factor of the blocks' channels, for a small encoder.
      train: batch norm uses and updates batch statistics.
      axis_name: device axis for synchronised batch norm, or None.
      dtype: dtype of the computation; parameters stay float32.
      remat: compute the blocks once more in the backward pass instead of keeping their activations:
        less memory, more time, the same numbers.
    """

    features: tuple[Feature, ...]
    width_multiplier: float = 1.0
    train: bool = False
    axis_name: str | None = None
    dtype: DTypeLike = jnp.float32
    remat: bool = False

    @nn.compact
    def __call__(self, features: Mapping[str, Array]) -> Float[Array, "b h w c"]:
        """Decode the encoder's `features`, each `[b, y, x, c]`: about as large as the frame."""
        # A method, not a module of its own: the names of the variables stay flat.
        block = (
            nn.remat(UNetDecoder._block, static_argnums=(1,)) if self.remat else UNetDecoder._block
        )
        finest, last = self.features[0], self.features[-1]
        skips: list[Array | None] = [None] * len(WIDTHS_OF_ONE_SIZE)
        if not self._of_one_size:
            skips = [features[f.name] for f in self.features[-2::-1]]
            skips += [None] if finest.stride > 1 else []
        x = features[last.name]
        for i, skip in enumerate(skips):
            x = block(self, i, x, skip)
        return x

    @property
    def _of_one_size(self) -> bool:
        return self.features[0].stride == self.features[-1].stride

    def _width(self, i: int) -> int:
        if not self._of_one_size:
            return max(1, round(self.width_multiplier * WIDTHS[i]))
        *inner, last = WIDTHS_OF_ONE_SIZE
        return last if i == len(inner) else max(1, round(self.width_multiplier * inner[i]))

    def _block(self, i: int, x: Array, skip: Array | None) -> Array:
        if skip is None:
            x = upsample_to(x, (2 * x.shape[1], 2 * x.shape[2]))
        else:
            x = upsample_to(x, skip.shape[1:3])
            x = jnp.concatenate([x, skip], axis=-1)
        for j in (1, 2):
            conv = Conv(
                self._width(i),
                kernel_size=3,
                dtype=self.dtype,
                kernel_init=_init_conv,
                name=f"block{i}_conv{j}",
            )
            norm = BatchNorm(
                train=self.train,
                axis_name=self.axis_name,
                dtype=self.dtype,
                name=f"block{i}_bn{j}",
            )
            x = nn.relu(normalised(x, conv, norm))
        return x


class MapHead(nn.Module):
    """A 3x3 convolution to two channels: background 0, foreground 1.

    Attributes:
      dtype: dtype of the computation; the logits are returned in float32.
    """

    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, decoded: Float[Array, "b h w c"], size: tuple[int, int]
    ) -> Float[Array, "b h2 w2 2"]:
        """Return map logits `[b, *size, 2]`; odd frame sizes are reached by a resize."""
        logits = nn.Conv(
            2,
            (3, 3),
            padding=1,
            dtype=self.dtype,
            kernel_init=nn.initializers.xavier_uniform(),
            name="conv",
        )(decoded)
        logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
        return resize_align_corners(logits, size)
