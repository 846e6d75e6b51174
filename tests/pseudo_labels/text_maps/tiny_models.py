"""Small CLIP and CLIPSeg models with random weights, saved as transformers saves them."""

from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

WORDS = ("a", "clean", "origami", ".", "cat", "parked", "car", "ground", "sky", "road", "tree")
_SPECIAL = ("<pad>", "<unk>", "<start>", "<end>")
_TEXT = {
    "vocab_size": len(_SPECIAL) + len(WORDS),
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 16,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 3,
    "projection_dim": 12,
}
_VISION = {
    "hidden_size": 24,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 8,
    "projection_dim": 12,
}


def _tokenizer() -> transformers.PreTrainedTokenizerFast:
    words = {word: number for number, word in enumerate((*_SPECIAL, *WORDS))}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", 2), ("<end>", 3)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        unk_token="<unk>",
        bos_token="<start>",
        eos_token="<end>",
        model_max_length=16,
    )


def save_clip(folder: Path, seed: int = 0) -> transformers.CLIPModel:
    """Save a CLIP with patches of 8 of 32 pixels and its tokenizer; return the model."""
    config = transformers.CLIPConfig(
        text_config=_TEXT, vision_config=_VISION, projection_dim=12, logit_scale_init_value=2.0
    )
    return _save(transformers.CLIPModel, config, folder, seed)


def save_clipseg(folder: Path) -> transformers.CLIPSegForImageSegmentation:
    """Save a CLIPSeg likewise; return the model."""
    config = transformers.CLIPSegConfig(
        text_config=_TEXT,
        vision_config=_VISION,
        projection_dim=12,
        reduce_dim=8,
        extract_layers=[0, 1],
        decoder_num_attention_heads=2,
        decoder_intermediate_size=16,
        use_complex_transposed_convolution=False,
    )
    return _save(transformers.CLIPSegForImageSegmentation, config, folder, 0)


def _save(kind, config, folder, seed):
    torch.manual_seed(seed)
    model = kind(config).eval()
    for parameter in model.parameters():  # nothing stays at 0 or 1
        if parameter.ndim:
            parameter.data.add_(0.2 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    _tokenizer().save_pretrained(folder)
    return model
