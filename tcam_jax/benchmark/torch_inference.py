"""Inference and LayerCAM in plain PyTorch, and what the training steps share with them."""

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from tcam_jax.benchmark.torch_frames import normalise, resize_maps
from tcam_jax.benchmark.torch_twin import TCAM, Classifier
from tcam_jax.cams.normalise import CONSTANT_SPAN


@torch.inference_mode()
def infer(network: TCAM, frames: Tensor, autocast: torch.dtype | None = None) -> tuple:
    """Return class logits `[b, k]` and foreground maps, uint8 `[b, h, w]`, of uint8 frames.

    Args:
      network: in evaluation mode, channels-last.
      frames: `[b, h, w, 3]`.
      autocast: as for the steps.
    """
    with autocasting(autocast, frames.device):
        logits, maps, _ = network(normalise(frames, network))
    return logits, _quantised(maps.to(at_least_float32(maps)).softmax(1)[:, 1])


@torch.inference_mode()
def infer_layercam(
    network: Classifier, frames: Tensor, classes: Tensor, autocast: torch.dtype | None = None
) -> Tensor:
    """Return the classes' LayerCAMs, enlarged to the frames, uint8 `[b, h, w]`; see `infer`."""
    with autocasting(autocast, frames.device):
        cams = layercam(network, network.encoder(normalise(frames, network))[-1], classes)
    return _quantised(resize_maps(cams, frames.shape[1]))


def layercam(network: TCAM | Classifier, features: Tensor, classes: Tensor) -> Tensor:
    """Return the normalised LayerCAMs `[b, y, x]` of the last features, of one class each.

    In closed form: under the head's mean over space, the gradient is a row of its weights.
    """
    weights = network.classification_head.fc.weight[classes].relu()
    cams = torch.einsum("bcyx,bc->byx", features, weights)
    return _min_max(cams.to(at_least_float32(cams)))


def _quantised(maps: Tensor) -> Tensor:
    return (255 * maps).floor().byte()


def _min_max(cams: Tensor) -> Tensor:
    shifted = cams - cams.amin((-2, -1), keepdim=True)
    span = shifted.amax((-2, -1), keepdim=True)
    varies = span > CONSTANT_SPAN * cams.abs().amax((-2, -1), keepdim=True)
    return torch.where(varies, shifted / span, 0)


def autocasting(autocast: torch.dtype | None, device: torch.device) -> Any:
    """Return autocast's context on `device`, or one that changes nothing."""
    return torch.autocast(device.type, autocast) if autocast else nullcontext()


def at_least_float32(x: Tensor) -> torch.dtype:
    """Return the dtype to compute probabilities and losses in."""
    return torch.promote_types(x.dtype, torch.float32)
