"""The published objective of stage 2 in plain PyTorch: the opponent of `tcam_jax.losses`.

Partial cross-entropy, dense CRF on the same colour grid as ours ("grid", accuracy "default"), and
the log-barriers on the areas; a batch at a time, without a loop over images.
"""

import functools
import itertools
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from tcam_jax.losses.kernels.grid import SPACING, colour_axis
from tcam_jax.losses.kernels.space import spatial_basis
from tcam_jax.pseudo_labels.seeds import UNLABELLED

NAMES = ("partial_ce", "crf", "size")


def objective(
    map_logits: Tensor,
    images: Tensor,
    seeds: Tensor | None,
    t: float,
    losses: Mapping[str, Mapping[str, Any]],
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the weighted sum of the losses that have a weight, and each one's own value.

    Args:
      map_logits: `[b, 2, h, w]`.
      images: 0..255, `[b, 3, h, w]`.
      seeds: int64 `[b, h, w]`, see `torch_seeds.seed_maps`; None without `partial_ce`.
      t: sharpness of the log-barriers.
      losses: for each of `NAMES` its settings for this size, see `losses.objective.settings_at`.
    """
    map_logits = map_logits.float() if map_logits.dtype != torch.float64 else map_logits
    values = {}
    if losses["partial_ce"]["weight"]:
        total = F.cross_entropy(map_logits, seeds, ignore_index=UNLABELLED, reduction="sum")
        values["partial_ce"] = total / (seeds != UNLABELLED).sum().clamp(min=1)
    if losses["crf"]["weight"]:
        values["crf"] = crf(map_logits, images, losses["crf"])
    if losses["size"]["weight"]:
        areas = map_logits.softmax(1).sum((2, 3))
        values["size"] = extended_log_barrier(-areas, t).mean()
    return sum(losses[name]["weight"] * value for name, value in values.items()), values


def extended_log_barrier(f: Tensor, t: float) -> Tensor:
    """Penalise constraint values, see `losses.log_barrier`."""
    inside = f <= -1 / t**2
    barrier = -torch.log(-torch.where(inside, f, -1.0)) / t
    tangent = t * f - math.log(1 / t**2) / t + 1 / t
    return torch.where(inside, barrier, tangent)


def crf(map_logits: Tensor, images: Tensor, settings: Mapping[str, Any]) -> Tensor:
    """Return the mean dense-CRF energy of the batch."""
    probabilities = map_logits.softmax(1)
    difference = probabilities[:, 0] - probabilities[:, 1]
    grid = _Grid(images.to(difference.dtype), settings["sigma_rgb"], settings["sigma_xy"])
    return settings["kernel_scale"] * _Energy.apply(difference, grid) / len(images)


class _Energy(torch.autograd.Function):
    """-(1^T A 1 + d^T A d) / 2 summed over the batch; its gradient is -A d."""

    @staticmethod
    def forward(ctx, difference, grid):
        filtered, quadratic = grid.apply(difference)
        ctx.save_for_backward(filtered)
        return -(quadratic + (difference * filtered).sum()) / 2

    @staticmethod
    def backward(ctx, cotangent):
        (filtered,) = ctx.saved_tensors
        return -cotangent * filtered, None


@functools.lru_cache(maxsize=16)
def _constants(
    height: int,
    width: int,
    sigma_rgb: float,
    sigma_xy: float,
    dtype: torch.dtype,
    device: torch.device,
) -> tuple[float, Tensor, Tensor]:
    """Return the grid's spacing, its matrix and the spatial basis `[p, r]`, on the device."""
    spacing, matrix = colour_axis(sigma_rgb, SPACING["default"])
    basis = spatial_basis(height, width, sigma_xy, "default").reshape(height * width, -1)
    like = {"dtype": dtype, "device": device}
    return spacing, torch.tensor(matrix, **like), torch.tensor(basis, **like)


class _Grid:
    """Where the pixels of a batch lie on the colour grid, see `losses.kernels.grid`."""

    def __init__(self, images: Tensor, sigma_rgb: float, sigma_xy: float):
        b, _, height, width = images.shape
        spacing, self.matrix, basis = _constants(
            height, width, sigma_rgb, sigma_xy, images.dtype, images.device
        )
        self.size = size = len(self.matrix)

        place = images.permute(0, 2, 3, 1).reshape(b, -1, 3) / spacing
        cell = place.floor().long().clamp(0, size - 2)
        upper = place - cell
        weights = torch.stack([1 - upper, upper], dim=2)  # [b, p, 2, 3]
        diagonal, beside = self.matrix.diagonal(), self.matrix.diagonal(1)
        own = diagonal[cell] * (1 - upper) ** 2 + diagonal[cell + 1] * upper**2
        own = own + 2 * beside[cell] * upper * (1 - upper)
        self.basis = basis * own.prod(-1, keepdim=True).rsqrt()

        first = (cell[..., 0] * size + cell[..., 1]) * size + cell[..., 2]
        first = first + torch.arange(b, device=images.device)[:, None] * size**3
        self.corners = [
            (
                (first + (i * size + j) * size + k).flatten(),
                weights[:, :, i, 0] * weights[:, :, j, 1] * weights[:, :, k, 2],
            )
            for i, j, k in itertools.product((0, 1), repeat=3)
        ]

    def apply(self, difference: Tensor) -> tuple[Tensor, Tensor]:
        """Return `A d` of every image `[b, h, w]`, and the sum of their `1^T A 1`."""
        masked = self._write(torch.ones_like(difference))
        quadratic = (masked * self._blur(masked)).sum()
        grid = self._blur(self._write(difference)).reshape(-1, self.basis.shape[-1])
        read = sum(
            weight[..., None] * grid[index].view_as(self.basis) for index, weight in self.corners
        )
        return (read * self.basis).sum(-1).view_as(difference), quadratic

    def _write(self, values: Tensor) -> Tensor:
        contributions = self.basis * values.flatten(1)[..., None]
        b, _, rank = contributions.shape
        points = contributions.new_zeros(b * self.size**3, rank)
        for index, weight in self.corners:
            source = (weight[..., None] * contributions).flatten(0, 1)
            points.scatter_add_(0, index[:, None].expand(-1, rank), source)
        return points.view(b, self.size, self.size, self.size, rank)

    def _blur(self, grid: Tensor) -> Tensor:
        for axis in (1, 2, 3):
            grid = torch.tensordot(grid, self.matrix, dims=([axis], [1])).movedim(-1, axis)
        return grid
