"""The twin's vision transformer, with timm's names: ViT and DeiT, without DINOv2's additions."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tcam_jax.models.encoders.vit import ViT as OurViT


class Attention(nn.Module):
    """Self-attention of several heads."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens `[b, t, c]` to as many."""
        q, k, v = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class MLP(nn.Module):
    """Two layers, four times as wide between."""

    def __init__(self, width: int):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens `[b, t, c]` to as many."""
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    """Attention and MLP, each behind a norm and added to its input."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(width, 1e-6), Attention(width, heads)
        self.norm2, self.mlp = nn.LayerNorm(width, 1e-6), MLP(width)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens `[b, t, c]` to as many."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ViT(nn.Module):
    """The encoder that `ours` declares."""

    def __init__(self, ours: OurViT):
        super().__init__()
        width, places = ours.width, ours.trained_size // ours.patch
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(3, width, ours.patch, ours.patch)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(0.02 * torch.randn(1, 1 + places**2, width))
        self.blocks = nn.ModuleList(Block(width, ours.heads) for _ in range(ours.depth))
        self.norm = nn.LayerNorm(width, 1e-6)
        self.last_stage = (f"blocks.{ours.depth - 1}.", "norm.")

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the patches' tokens `[b, c, y, x]` after every block and the last norm.

        Before those of the last block: what its attention sees.
        """
        x = self.patch_embed.proj(images)
        size = x.shape[2:]
        x = x.flatten(2).transpose(1, 2)
        class_token = self.cls_token.expand(len(x), -1, -1)
        x = torch.cat([class_token, x], 1) + self._position(size)
        seen, last = [], self.blocks[-1]
        for block in self.blocks:
            if block is last:
                seen.append(block.norm1(x))
            x = block(x)
            seen.append(x)
        seen.append(self.norm(x))
        return [tokens[:, 1:].transpose(1, 2).unflatten(2, size) for tokens in seen]

    def _position(self, size: torch.Size) -> Tensor:
        places = round((self.pos_embed.shape[1] - 1) ** 0.5)
        if size == (places, places):
            return self.pos_embed
        grid = self.pos_embed[:, 1:].transpose(1, 2).unflatten(2, (places, places))
        grid = F.interpolate(grid, size, mode="bicubic")
        return torch.cat([self.pos_embed[:, :1], grid.flatten(2).transpose(1, 2)], 1)
