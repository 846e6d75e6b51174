"""What makes maps of frames from the names of their classes, opened from a folder of weights."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, TypedDict, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.extras import require
from tcam_jax.runtime.json_files import read_json

NEEDED = ("torch", "transformers")
_FORM = (
    "the folder of a CLIP or CLIPSeg model as transformers' save_pretrained writes it: "
    "config.json, model.safetensors and the tokenizer's files"
)


@runtime_checkable
class TextMaps(Protocol):
    """Maps of classes by their names.

    Attributes:
      kind: "clip" or "clipseg".
      template: what a name stands in.
      size: side of the frames that are shown, pixels.
    """

    kind: str
    template: str
    size: int

    def maps(
        self, frames: Sequence[UInt8[np.ndarray, "_ _ 3"]], classes: Sequence[int]
    ) -> Float[np.ndarray, "b y x"]:
        """Return a map of each frame for its class, smallest value 0, largest 1.

        Args:
          frames: of any sizes, RGB.
          classes: numbers of their classes.
        """


def open_text_maps(
    folder: str | Path,
    class_names: Sequence[str],
    template: str | None = None,
    size: int | None = None,
) -> TextMaps:
    """Open CLIP or CLIPSeg, whichever the folder holds. Nothing is fetched from elsewhere.

    Args:
      folder: see `_FORM`.
      class_names: by their numbers; "_" in them is read as a space.
      template: with "{}" for the name; None: as published for the model.
      size: side of the square to which frames are resized, pixels; None: as the model was trained.

    Raises:
      InputError: packages of the extra `seed-maps` or weights are missing or wrong.
    """
    require("seed-maps", *NEEDED)
    folder = Path(folder)
    if not (folder / "config.json").is_file():
        raise InputError(f"the weights must be {_FORM}; there is no {folder / 'config.json'}.")
    tokenizer = ("tokenizer.json",), ("vocab.json", "merges.txt")
    if not any(all((folder / name).is_file() for name in names) for names in tokenizer):
        # transformers would make do with an empty one.
        raise InputError(f"the weights must be {_FORM}; {folder} has no tokenizer.json.")
    advice = f"It must be {_FORM}."
    kind = read_json(folder / "config.json", dict[str, Any], advice).get("model_type")
    if template is not None and template.count("{}") != 1:
        raise InputError(f'the template must have one "{{}}" for the class; it is {template!r}.')
    names = [name.replace("_", " ") for name in class_names]
    # Each imports PyTorch and transformers, which take seconds.
    if kind == "clip":
        from tcam_jax.pseudo_labels.text_maps.clip import ClipMaps

        return ClipMaps(folder, names, template, size)
    if kind == "clipseg":
        from tcam_jax.pseudo_labels.text_maps.clipseg import ClipSegMaps

        return ClipSegMaps(folder, names, template, size)
    raise InputError(f"the weights must be {_FORM}; {folder} holds a model of type {kind!r}.")


class Loaded(TypedDict):
    """A model and its tokenizer, both of transformers."""

    model: Any
    tokenizer: Any


def load(model_class: Any, folder: Path) -> Loaded:
    """Load a model of transformers, ready for inference, on the accelerator if PyTorch sees one.

    Raises:
      InputError: files are missing or damaged, or lack weights of the model.
    """
    import torch
    import transformers
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        model, found = model_class.from_pretrained(
            folder, local_files_only=True, output_loading_info=True
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # transformers, tokenizers and safetensors have types of their own
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        message = f"the weights must be {_FORM}; {folder} cannot be read: {reason}"
        raise InputError(message) from error
    if lacking := sorted(found["missing_keys"]):
        raise InputError(
            f"the weights must be {_FORM}; {folder} lacks {len(lacking)} tensors of the model, "
            f"such as {lacking[0]}."
        )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return {"model": model.eval().requires_grad_(False).to(device), "tokenizer": tokenizer}


def check_size(size: int, patch: int) -> None:
    """Refuse a size of frames that is no multiple of the patch's side.

    Raises:
      InputError: it is none.
    """
    if size <= 0 or size % patch:
        raise InputError(
            f"the size must be a multiple of the patch's {patch} pixels; it is {size}."
        )


def tokenised(tokenizer: Any, template: str, names: Sequence[str], device: Any) -> dict[str, Any]:
    """Return the tokens of a prompt for each name, as arguments of the model, on its device."""
    prompts = [template.replace("{}", name) for name in names]
    tokens = tokenizer(prompts, padding=True, truncation=True, return_tensors="pt")
    return {name: tokens[name].to(device) for name in ("input_ids", "attention_mask")}


def shown(
    frames: Sequence[UInt8[np.ndarray, "_ _ 3"]],
    size: int,
    mean: Sequence[float],
    deviation: Sequence[float],
) -> Float[np.ndarray, "b 3 size size"]:
    """Resize whole frames to a square, bicubically, and normalise them, channels first."""
    squares = [
        np.asarray(Image.fromarray(frame).resize((size, size), Image.Resampling.BICUBIC))
        for frame in frames
    ]
    scaled = (np.stack(squares) / 255 - np.asarray(mean)) / np.asarray(deviation)
    return scaled.transpose(0, 3, 1, 2).astype(np.float32)


def full_range(maps: Float[np.ndarray, "b y x"]) -> Float[np.ndarray, "b y x"]:
    """Scale each map to 0..1; one that is the same everywhere says nothing and becomes zeros."""
    low = maps.min((1, 2), keepdims=True)
    span = maps.max((1, 2), keepdims=True) - low
    scaled: np.ndarray = np.where(span > 0, (maps - low) / np.where(span > 0, span, 1), 0)
    return scaled.astype(np.float32)
