"""How other libraries name the tensors of vision transformers."""

from collections.abc import Mapping

import numpy as np

from tcam_jax.models.encoders.encoder import Renaming

_TIMM = (
    (r"^(block\d+)\.(qkv|proj)\b", r"\1.attn.\2"),
    (r"^patch\b", "patch_embed.proj"),
    (r"^position", "pos_embed"),
    (r"^class_token", "cls_token"),
    (r"^registers", "register_tokens"),
    (r"^last_norm\b", "norm"),
    (r"\bnorm_attention\b", "norm1"),
    (r"\bnorm_mlp\b", "norm2"),
    (r"\bscale_attention\b", "ls1.gamma"),
    (r"\bscale_mlp\b", "ls2.gamma"),
    (r"\b(fc[12])\b", r"mlp.\1"),
)
_EMBEDDINGS = (
    (r"^patch\b", "embeddings.patch_embeddings.projection"),
    (r"^position", "embeddings.position_embeddings"),
    (r"^class_token", "embeddings.cls_token"),
    (r"^registers", "embeddings.register_tokens"),
    (r"^last_norm\b", "layernorm"),
)
# transformers' files, and its modules since release 5.
_ATTENTION = ((r"\bqkv\b", "attention.attention.qkv"), (r"\bproj\b", "attention.output.dense"))
_ATTENTION_5 = ((r"\bqkv\b", "attention.qkv"), (r"\bproj\b", "attention.o_proj"))
_VIT_NORMS = ((r"\bnorm_attention\b", "layernorm_before"), (r"\bnorm_mlp\b", "layernorm_after"))
_VIT_MLP = ((r"\bfc1\b", "intermediate.dense"), (r"\bfc2\b", "output.dense"))
_MLP = ((r"\b(fc[12])\b", r"mlp.\1"),)
_DINOV2_NORMS = (
    (r"\bnorm_attention\b", "norm1"),
    (r"\bnorm_mlp\b", "norm2"),
    (r"\bscale_attention\b", "layer_scale1.lambda1"),
    (r"\bscale_mlp\b", "layer_scale2.lambda1"),
)
# What stands behind the name in front of these is kept apart: queries, keys and values.
_APART = ((".query.", ".key.", ".value."), (".q_proj.", ".k_proj.", ".v_proj."))


def renamings(depth: int) -> tuple[Renaming, ...]:
    """Return those of timm (DINOv2's own files have the same names) and of transformers."""

    def blocks(name: str) -> tuple[tuple[str, str], ...]:
        return tuple((rf"^block{i}\.", f"{name}.{i - 1}.") for i in range(1, depth + 1))

    def of_transformers(*rules: tuple[str, str]) -> Renaming:
        classes = ("classifier.", "pooler.", "embeddings.mask_token", "cls_classifier.")
        return Renaming("transformers", (*_EMBEDDINGS, *rules), classes, _fuse)

    layer = blocks("encoder.layer")
    return (
        Renaming("timm", (*_TIMM, *blocks("blocks")), ("head.", "head_dist.", "mask_token")),
        of_transformers(*_ATTENTION, *_VIT_NORMS, *_VIT_MLP, *layer),
        of_transformers(*_ATTENTION_5, *_VIT_NORMS, *_MLP, *blocks("layers")),
        of_transformers(*_ATTENTION, *_DINOV2_NORMS, *_MLP, *layer),
        of_transformers(*_ATTENTION_5, *_DINOV2_NORMS, *_MLP, *layer),
    )


def _fuse(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Put queries, keys and values into one tensor."""
    fused = dict(tensors)
    for query, *others in _APART:
        for name in tensors:
            names = [name, *(name.replace(query, other) for other in others)]
            if query in name and all(part in tensors for part in names):
                joined = np.concatenate([fused.pop(part) for part in names])
                fused[name.replace(query, ".qkv.")] = joined
    return fused
