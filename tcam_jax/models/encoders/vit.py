"""Vision transformers at small size: ViT, DeiT, and DINOv2 with or without registers.

Features are the patches' tokens on their grid, after every block and after the last norm. The class
token (and registers) are not on it; they stand beside each feature, for what goes on from there.

Source: Dosovitskiy et al., ICLR 2021; Touvron et al., ICML 2021 (DeiT: the same network); Oquab et
al., 2023 (DINOv2: layer scale); Darcet et al., ICLR 2024 (registers). Attention rollout: Abnar and
Zuidema, ACL 2020.
"""

from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from tcam_jax.models.encoders import vit_names
from tcam_jax.models.encoders.encoder import Encoder, Feature, Renaming
from tcam_jax.runtime.errors import InputError

ROLLOUT = "rollout"
"""Beside the features: attention rollout from the class token to the grid, `[b, y, x, 1]`."""

_draw = nn.initializers.truncated_normal(0.02)


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
        self, x: Float[Array, "b t c"]
    ) -> tuple[Float[Array, "b t c"], Float[Array, "b t t"]]:
        """Return the tokens and the attention's weights, the mean of the heads."""
        channels = x.shape[-1]
        added, attention = self._attend(_norm(self.dtype, "norm_attention")(x))
        x += self._scale("scale_attention", added)
        y = _dense(4 * channels, self.dtype, "fc1")(_norm(self.dtype, "norm_mlp")(x))
        y = _dense(channels, self.dtype, "fc2")(_gelu(y))
        return x + self._scale("scale_mlp", y), attention

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
        """ "block1" … and, after the last norm, "norm"."""
        names = (*(f"block{i}" for i in range(1, self.depth + 1)), "norm")
        return tuple(Feature(name, self.width, self.patch) for name in names)

    def beside(self, feature: str) -> tuple[str, ...]:
        """See `Encoder`: the class token and the registers."""
        return () if feature == "norm" else (f"{feature}_tokens",)

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "b h w c"],
        after: str | None = None,
        tokens: Float[Array, "b n c"] | None = None,
    ) -> dict[str, Array]:
        """See `Encoder`."""
        done, features = self.position(after), {}
        if done == 0:
            x, tokens = self._embed(x.astype(self.dtype))
        b, height, width, c = x.shape
        n = tokens.shape[1]
        seen = jnp.concatenate([tokens, x.reshape(b, -1, c)], axis=1)
        identity = jnp.eye(seen.shape[1])
        mixed = jnp.broadcast_to(identity, (b, *identity.shape))
        for i in range(done + 1, self.depth + 1):
            block = TransformerBlock(self.heads, self.layer_scale, self.dtype, name=f"block{i}")
            seen, attention = block(seen)
            mixed = (attention + identity) / 2 @ mixed
            features[f"block{i}"] = seen[:, n:].reshape(b, height, width, c)
            features[f"block{i}_tokens"] = seen[:, :n]
        if done <= self.depth:
            last = _norm(self.dtype, "last_norm")(seen)
            features["norm"] = last[:, n:].reshape(b, height, width, c)
        if done == 0:
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
            kernel_init=_draw,
            name="patch",
        )
        grid = patches(x)
        rows, columns = height // side, width // side
        trained = self.trained_size // side
        position = self.param("position", _draw, (1, 1 + trained**2, c))
        on_grid = position[0, 1:].reshape(trained, trained, c)
        if self.antialias:
            on_grid = jax.image.resize(on_grid, (rows, columns, c), "cubic")
        else:
            weights = bicubic_matrix(trained, rows), bicubic_matrix(trained, columns)
            on_grid = jnp.einsum("yxc,iy,jx->ijc", on_grid, *weights, precision="highest")
        class_token = self.param("class_token", _draw, (1, 1, c)) + position[:, :1]
        tokens = jnp.broadcast_to(class_token, (b, 1, c))
        if self.registers:
            registers = self.param("registers", _draw, (1, self.registers, c))
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


def _gelu(x: Array) -> Array:
    """Return x times the normal distribution's share below it."""
    # jax.nn.gelu has erfc, whose two branches take twice the time of erf.
    return x * (1 + lax.erf(x * np.sqrt(0.5).astype(x.dtype))) / 2


def _norm(dtype: DTypeLike, name: str) -> nn.LayerNorm:
    return nn.LayerNorm(epsilon=1e-6, dtype=dtype, name=name)


def _dense(features: int, dtype: DTypeLike, name: str) -> nn.Dense:
    return nn.Dense(features, dtype=dtype, kernel_init=_draw, name=name)
