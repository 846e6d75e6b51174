"""Maps of CLIPSeg for prompts: the other pseudo-labels of TrCAM-V.

Source: Lüddecke and Ecker, "Image Segmentation Using Text and Image Prompts", CVPR 2022: the
probability of every pixel to belong to what the text names; here scaled to 0..1 in each frame.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import transformers
from jaxtyping import Float, UInt8

from tcam_jax.data.geometry import IMAGENET
from tcam_jax.pseudo_labels.text_maps.model import check_size, full_range, load, shown, tokenised

TEMPLATE = "{}"
_TRAINED_SIZE = 352  # pixels; the model's config has the size of its CLIP alone


class ClipSegMaps:
    """See `model.TextMaps`.

    Args:
      folder, names, template, size: see `model.open_text_maps`; names as they are read.
    """

    kind = "clipseg"

    def __init__(
        self, folder: Path, names: Sequence[str], template: str | None, size: int | None
    ) -> None:
        loaded = load(transformers.CLIPSegForImageSegmentation, folder)
        self._model = loaded["model"]
        self.template, self.size = template or TEMPLATE, size or _TRAINED_SIZE
        check_size(self.size, self._model.config.vision_config.patch_size)
        device = self._model.device
        self._tokens = tokenised(loaded["tokenizer"], self.template, names, device)

    @torch.no_grad()
    def maps(
        self, frames: Sequence[UInt8[np.ndarray, "_ _ 3"]], classes: Sequence[int]
    ) -> Float[np.ndarray, "b y x"]:
        """See `model.TextMaps`."""
        pixels = torch.from_numpy(shown(frames, self.size, *IMAGENET))
        of_frames = {name: tokens[list(classes)] for name, tokens in self._tokens.items()}
        output = self._model(pixel_values=pixels.to(self._model.device), **of_frames)
        return full_range(output.logits.sigmoid().cpu().numpy())
