"""Pseudo-labels in plain PyTorch, a batch at a time: the opponent of `tcam_jax.pseudo_labels`.

Rule "reference" on the whole Otsu region. The same numbers as ours from the same noise.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from tcam_jax.pseudo_labels.sampling import SEED_RULES
from tcam_jax.pseudo_labels.seeds import BACKGROUND, FOREGROUND, UNLABELLED

_BINS = 256


def otsu_thresholds(cams: Tensor) -> Tensor:
    """Return the threshold of each map `[b, h, w]`, 0..1, in levels: float32 `[b]`."""
    levels = torch.floor(255 * cams).long().flatten(1)
    lowest = levels.amin(1, keepdim=True)
    span = levels.amax(1, keepdim=True) - lowest
    rows = torch.arange(len(cams), device=cams.device)[:, None] * _BINS
    counts = torch.bincount((levels - lowest + rows).flatten(), minlength=len(cams) * _BINS)
    counts = counts.view(-1, _BINS).double()
    bins = torch.arange(_BINS, device=cams.device) * _BINS // span.clamp(min=1)
    bins = bins.clamp(max=_BINS - 1)
    weight, moment = counts.cumsum(1), (counts * bins).cumsum(1)
    rest = weight[:, -1:] - weight
    gap = weight * moment[:, -1:] - weight[:, -1:] * moment
    variance = torch.where(rest > 0, gap**2 / (weight * rest).clamp(min=1), -1)
    best = bins.gather(1, variance.argmax(1, keepdim=True))
    thresholds = lowest + (best + 0.5) * span / _BINS
    return torch.where(span > 0, thresholds, 0).float()[:, 0]


def seed_maps(
    cams: Tensor, fg_noise: Tensor, bg_noise: Tensor, fg_pixels: int, bg_pixels: int
) -> Tensor:
    """Draw the pseudo-labels of a batch of maps.

    Args:
      cams: activation maps, float32 `[b, h, w]`, 0..1.
      fg_noise, bg_noise: Gumbel variables `[b, h * w]`, of the draws.
      fg_pixels, bg_pixels: draws of each kind.

    Returns:
      int64 `[b, h, w]`: 1 foreground, 0 background, -255 unlabelled.
    """
    rule = SEED_RULES["reference"]
    size = cams[0].numel()
    varies = (cams.amax((1, 2)) > cams.amin((1, 2)))[:, None]
    roi = 255 * cams >= otsu_thresholds(cams)[:, None, None]

    activation = (cams * roi).flatten(1) + 1e-8
    kept = (rule.fg_fraction * roi.sum((1, 2)).float()).long()[:, None]
    ranks = torch.arange(size, device=cams.device)
    order = activation.sort(dim=1, descending=True, stable=True).indices
    candidates = torch.zeros_like(roi).flatten(1).scatter(1, order, ranks < kept)
    is_fg = _squares(activation.log() + fg_noise, candidates & varies, fg_pixels, cams, rule)

    lowest = cams.flatten(1).sort(dim=1, stable=True).indices[:, : int(rule.bg_fraction * size)]
    candidates = torch.zeros_like(candidates).scatter(1, lowest, True)
    is_bg = _squares(bg_noise, candidates & varies, bg_pixels, cams, rule)

    labels = torch.full_like(roi, UNLABELLED, dtype=torch.long)
    labels = labels.masked_fill(is_fg & ~is_bg, FOREGROUND)
    return labels.masked_fill(is_bg & ~is_fg, BACKGROUND)


def _squares(score, candidates, pixels, cams, rule):
    """Draw the candidates of the highest scores, and mark the squares around them `[b, h, w]`."""
    score, index = score.masked_fill(~candidates, -torch.inf).topk(pixels, dim=1)
    marked = torch.zeros_like(candidates, dtype=torch.float32)
    marked = marked.scatter(1, index, (score > -torch.inf).float()).view_as(cams)
    side = rule.dilation
    return F.max_pool2d(marked[:, None], side, 1, side // 2)[:, 0] > 0
