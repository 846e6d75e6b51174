"""Vision transformers at small size: ViT, DeiT, and DINOv2 with or without registers.

Features are the patches' tokens on their grid, after every block, after the norm before the last
block's attention, and after the last norm. The class token (and registers) are not on it; they
stand beside each feature, for what goes on from there.

Source: Dosovitskiy et al., ICLR 2021; Touvron et al., ICML 2021 (DeiT: the same network); Oquab et
al., 2023 (DINOv2: layer scale); Darcet et al., ICLR 2024 (registers). Attention rollout: Abnar and
Zuidema, ACL 2020.
"""

from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tcam_jax.models.encoders import vit_names
from tcam_jax.models.encoders.encoder import ClassTokens, Encoder, Feature, Renaming
from tcam_jax.models.encoders.transformer_block import (
    TransformerBlock,
    draw_weights,
    layer_norm,
)
from tcam_jax.runtime.errors import InputError

ROLLOUT = "rollout"
"""Beside the features: attention rollout from the class token to the grid, `[b, y, x, 1]`."""
CLASS_TOKENS = "class_tokens"
"""Beside the features: the class tokens after the last blocks and the last norm, `[b, n, c]`."""
_ATTENDED = "attended"
# So many of them, as a linear classifier of DINO's small transformers reads (Caron et al., 2021).
_LAST_BLOCKS = 4


class ViT(Encoder):
    """See `Encoder`.

    Attributes:
      patch: side of a patch, pixels; that is the output stride.
      trained_size: side of the frames of the published weights, pixels, to whose grid the position
        embedding belongs; for others it is interpolated, bicubically.
      antialias: that with antialiasing and a = -0.5, as DINOv2's with registers; else a = -0.75.
      width, depth, heads: of the transformer.
      registers: tokens beside the class token that mean nothing.
      layer_scale: see `TransformerBlock`.
    """

    output_stride: int = 16
    patch: int = 16
    trained_size: int = 224
    width: int = 384
    depth: int = 12
    heads: int = 6
    registers: int = 0
    layer_scale: bool = False
    antialias: bool = False

    maps: ClassVar = (ROLLOUT,)

    @property
    def output_strides(self) -> tuple[int, ...]:
        """The patch's side alone."""
        return (self.patch,)

    @property
    def frame_multiple(self) -> int:
        """The patch's side."""
        return self.patch

    @property
    def last_stage(self) -> tuple[str, ...]:
        """The last block and the last norm."""
        return (f"block{self.depth}", "last_norm")

    @property
    def features(self) -> tuple[Feature, ...]:
        """ "block1" …, before the last "attended", what its attention sees; at the end "norm"."""
        blocks = [f"block{i}" for i in range(1, self.depth + 1)]
        names = (*blocks[:-1], _ATTENDED, blocks[-1], "norm")
        return tuple(Feature(name, self.width, self.patch) for name in names)

    @property
    def class_tokens(self) -> ClassTokens:
        """Of the last four blocks; the patches reach the last one by the last attention."""
        return ClassTokens(CLASS_TOKENS, _ATTENDED)

    def beside(self, feature: str) -> tuple[str, ...]:
        """See `Encoder`: class token and registers; the class tokens that are there already.

        Of "attended" also the patches' tokens, to which the attention's outcome is added.
        """
        if feature == "norm":
            return ()
        if feature != _ATTENDED:
            return f"{feature}_tokens", CLASS_TOKENS
        return f"block{self.depth - 1}_tokens", CLASS_TOKENS, f"block{self.depth - 1}"

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "b h w c"],
        after: str | None = None,
        tokens: Float[Array, "b n c"] | None = None,
        class_tokens: Float[Array, "b l c"] | None = None,
        patches: Float[Array, "b h w c"] | None = None,
    ) -> dict[str, Array]:
        """See `Encoder`."""
        blocks = [f"block{i}" for i in range(1, self.depth + 1)]
        done, features, attended = 0, {}, None
        if after == "norm":
            return features
        if after is None:
            x, tokens = self._embed(x.astype(self.dtype))
        elif after == _ATTENDED:
            done, attended, x = self.depth - 1, x.reshape(x.shape[0], -1, x.shape[-1]), patches
        else:
            done = blocks.index(after) + 1
        b, height, width, c = x.shape
        n = tokens.shape[1]
        on_grid = lambda seen: seen[:, n:].reshape(b, height, width, c)  # noqa: E731
        seen = jnp.concatenate([tokens, x.reshape(b, -1, c)], axis=1)
        identity = jnp.eye(seen.shape[1])
        mixed = jnp.broadcast_to(identity, (b, *identity.shape))
        of_class = []
        for name in blocks[done:]:
            block = TransformerBlock(self.heads, self.layer_scale, self.dtype, name=name)
            seen, attention, normed = block(seen, attended)
            mixed = (attention + identity) / 2 @ mixed
            if name == blocks[-1] and attended is None:
                features[_ATTENDED] = on_grid(normed)
            features[name] = on_grid(seen)
            features[f"{name}_tokens"] = seen[:, :n]
            of_class.append(seen[:, 0])
        norm = layer_norm(self.dtype, "last_norm")
        features["norm"] = on_grid(norm(seen))
        parts = []
        if (first := max(0, self.depth - _LAST_BLOCKS)) < done:  # what came before `after`
            parts = [class_tokens[:, : done - first]]
        if of_class:
            parts.append(norm(jnp.stack(of_class[-_LAST_BLOCKS:], axis=1)))
        features[CLASS_TOKENS] = jnp.concatenate(parts, axis=1)
        if after is None:
            features[ROLLOUT] = mixed[:, 0, n:].reshape(b, height, width, 1)
        return features

    def _embed(self, x: Array) -> tuple[Array, Array]:
        b, height, width, _ = x.shape
        side, c = self.patch, self.width
        if height % side or width % side:
            raise InputError(
                f"frames must be a multiple of {side} pixels high and wide for patches of {side}; "
                f"they are {height} x {width}. Set config.dataset.crop."
            )
        patches = nn.Conv(
            c,
            (side, side),
            (side, side),
            "VALID",
            dtype=self.dtype,
            kernel_init=draw_weights,
            name="patch",
        )
        grid = patches(x)
        rows, columns = height // side, width // side
        trained = self.trained_size // side
        position = self.param("position", draw_weights, (1, 1 + trained**2, c))
        on_grid = position[0, 1:].reshape(trained, trained, c)
        if self.antialias:
            on_grid = jax.image.resize(on_grid, (rows, columns, c), "cubic")
        else:
            weights = bicubic_matrix(trained, rows), bicubic_matrix(trained, columns)
            on_grid = jnp.einsum("yxc,iy,jx->ijc", on_grid, *weights, precision="highest")
        class_token = self.param("class_token", draw_weights, (1, 1, c)) + position[:, :1]
        tokens = jnp.broadcast_to(class_token, (b, 1, c))
        if self.registers:
            registers = self.param("registers", draw_weights, (1, self.registers, c))
            registers = jnp.broadcast_to(registers, (b, self.registers, c))
            tokens = jnp.concatenate([tokens, registers], axis=1)
        return grid + on_grid.astype(x.dtype), tokens.astype(x.dtype)

    @property
    def renamings(self) -> tuple[Renaming, ...]:
        """See `models.encoders.vit_names`."""
        return vit_names.renamings(self.depth)


def bicubic_matrix(source: int, target: int, a: float = -0.75) -> np.ndarray:
    """Return the `[target, source]` matrix of torch's bicubic resampling without antialiasing.

    Half-pixel centres, edges repeated; `a` is Keys's parameter. The identity where nothing changes.
    """
    centre = (np.arange(target) + 0.5) * source / target - 0.5
    low = np.floor(centre).astype(int)
    matrix = np.zeros((target, source), np.float32)
    for tap in range(-1, 3):
        d = np.abs(centre - (low + tap))
        near = ((a + 2) * d - (a + 3)) * d**2 + 1
        far = a * (((d - 5) * d + 8) * d - 4)
        weight = np.where(d <= 1, near, np.where(d < 2, far, 0))
        np.add.at(matrix, (np.arange(target), np.clip(low + tap, 0, source - 1)), weight)
    return matrix
