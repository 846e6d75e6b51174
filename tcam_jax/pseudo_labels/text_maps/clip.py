"""Gradient CAMs of CLIP for prompts: the pseudo-labels of TrCAM-V.

The frame's class stands against things that are no objects of interest ("ground", "sky" …): the
gradient is that of its share in the softmax over them, with respect to what the last block's
attention sees. The frame's embedding is the mean of its patches', not its class token's: only so
does the gradient of every patch reach the norm without a detour.

Source: Lin et al., "CLIP is Also an Efficient Segmenter", CVPR 2023 (CLIP-ES: the score, the layer,
the prompt and the background); Murtaza et al., ANNPR 2024 (TrCAM-V), without CLIP-ES's refinement
of the map by the attention.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from jaxtyping import Float, UInt8
from torch import Tensor

from tcam_jax.pseudo_labels.text_maps.model import check_size, full_range, load, shown, tokenised

TEMPLATE = "a clean origami {}."
# As CLIP-ES has them for PASCAL VOC.
BACKGROUND = (
    "ground", "land", "grass", "tree", "building", "wall", "sky", "lake", "water", "river", "sea",
    "railway", "railroad", "keyboard", "helmet", "cloud", "house", "mountain", "ocean", "road",
    "rock", "street", "valley", "bridge", "sign",
)  # fmt: skip
_MEAN = (0.48145466, 0.4578275, 0.40821073)
_DEVIATION = (0.26862954, 0.26130258, 0.27577711)


class ClipMaps:
    """See `model.TextMaps`.

    Args:
      folder, names, template, size: see `model.open_text_maps`; names as they are read.
    """

    kind = "clip"

    def __init__(
        self, folder: Path, names: Sequence[str], template: str | None, size: int | None
    ) -> None:
        loaded = load(transformers.CLIPModel, folder)
        self._model, tokenizer = loaded["model"], loaded["tokenizer"]
        vision = self._model.config.vision_config
        self.template, self.size = template or TEMPLATE, size or vision.image_size
        check_size(self.size, vision.patch_size)
        background = [name for name in BACKGROUND if name not in {n.lower() for n in names}]
        embedded = self._embed(tokenizer, [*names, *background])
        self._classes, self._background = embedded[: len(names)], embedded[len(names) :]

    def maps(
        self, frames: Sequence[UInt8[np.ndarray, "_ _ 3"]], classes: Sequence[int]
    ) -> Float[np.ndarray, "b y x"]:
        """See `model.TextMaps`."""
        pixels = torch.from_numpy(shown(frames, self.size, _MEAN, _DEVIATION))
        model = self._model
        seen: list[Tensor] = []

        def from_here(module: Any, inputs: Any, normed: Tensor) -> Tensor:
            seen.append(normed.detach().requires_grad_())
            return seen[0]

        norm = model.vision_model.encoder.layers[-1].layer_norm1
        hook = norm.register_forward_hook(from_here)
        try:
            output = model.vision_model(pixels.to(model.device), interpolate_pos_encoding=True)
        finally:
            hook.remove()
        patches = model.vision_model.post_layernorm(output.last_hidden_state)[:, 1:]
        embedding = _unit(model.visual_projection(patches.mean(1)))
        own = (embedding * self._classes[list(classes)]).sum(1, keepdim=True)
        cosines = torch.cat([own, embedding @ self._background.T], dim=1)
        shares = (model.logit_scale.exp() * cosines).softmax(1)[:, 0]
        (gradient,) = torch.autograd.grad(shares.sum(), seen)
        weights = gradient[:, 1:].mean(1, keepdim=True)
        raw = (weights * seen[0].detach()[:, 1:]).sum(2).relu()
        side = self.size // model.config.vision_config.patch_size
        return full_range(raw.unflatten(1, (side, side)).cpu().numpy())

    @torch.no_grad()
    def _embed(self, tokenizer: Any, names: Sequence[str]) -> Tensor:
        tokens = tokenised(tokenizer, self.template, names, self._model.device)
        features = self._model.get_text_features(**tokens)
        return _unit(features.pooler_output)


def _unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=-1, keepdim=True)
