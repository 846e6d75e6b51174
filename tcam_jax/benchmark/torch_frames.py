"""Random crops, flips and resizes in plain PyTorch: the opponent of `tcam_jax.data.geometry`."""

from typing import NamedTuple

import torch
from ml_collections import ConfigDict
from torch import Tensor
from torch.nn import functional as F

from tcam_jax.benchmark.torch_twin import Classifier


class Draws(NamedTuple):
    """Everything random of a step; the noise is stage 2's alone.

    Attributes:
      top, left: of the crops, int64 `[b]`.
      flip: bool `[b]`.
      fg_noise, bg_noise: Gumbel variables `[b, crop * crop]`.
    """

    top: Tensor
    left: Tensor
    flip: Tensor
    fg_noise: Tensor | None = None
    bg_noise: Tensor | None = None


def random_draws(b: int, config: ConfigDict, device: str, noise: bool) -> Draws:
    """Draw all that a step of `b` samples needs."""
    crop, resize = config.dataset.crop, config.dataset.resize
    top, left = torch.randint(resize - crop + 1, (2, b), device=device)
    flip = torch.rand(b, device=device) < 0.5
    if not noise:
        return Draws(top, left, flip)
    uniform = torch.empty(2, b, crop * crop, device=device).exponential_()
    return Draws(top, left, flip, *-uniform.log())


def crop_and_flip(frames: Tensor, draws: Draws, crop: int) -> Tensor:
    """Cut each sample's crop out of `[b, ..., h, w, c]`, mirrored where its flip is True."""
    steps = torch.arange(crop, device=frames.device)
    rows = draws.top[:, None] + steps
    columns = draws.left[:, None] + torch.where(draws.flip[:, None], steps.flip(0), steps)
    b, *window, _, _, channels = frames.shape
    rows = rows.view(b, *(1 for _ in window), crop, 1, 1)
    frames = frames.gather(-3, rows.expand(b, *window, crop, frames.shape[-2], channels))
    columns = columns.view(b, *(1 for _ in window), 1, crop, 1)
    return frames.gather(-2, columns.expand(b, *window, crop, crop, channels))


def normalise(frames: Tensor, network: Classifier) -> Tensor:
    """Bring frames `[b, h, w, 3]`, 0..255, to the network's input, channels-last `[b, 3, h, w]`."""
    like = next(network.parameters())
    mean, std = map(like.new_tensor, network.normalisation)
    return ((frames.to(like.dtype) / 255 - mean) / std).permute(0, 3, 1, 2)


def shrink_frames(frames: Tensor, size: int) -> Tensor:
    """Shrink frames `[b, h, w, 3]` with antialiasing to `[b, size, size, 3]`."""
    channels_first = frames.permute(0, 3, 1, 2).float()
    small = F.interpolate(channels_first, (size, size), mode="bilinear", antialias=True)
    return small.permute(0, 2, 3, 1)


def resize_maps(cams: Tensor, size: int) -> Tensor:
    """Enlarge maps `[b, y, x]` bilinearly to `[b, size, size]`."""
    return F.interpolate(cams[:, None], (size, size), mode="bilinear")[:, 0]
