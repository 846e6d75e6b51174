"""Names and layouts of our variables in PyTorch, and other namings brought to that one.

The naming is that of the reference's checkpoints: torchvision's ResNet behind "encoder.", then
"decoder." and "segmentation_head." as in segmentation_models_pytorch's U-Net, and
"classification_head.". A variable's path is such as ("params", "encoder", "layer1_0", "conv1",
"kernel").
"""

import re
from collections.abc import Mapping

import numpy as np

Path = tuple[str, ...]

_PARTS = {"map_head": "segmentation_head"}  # the others have the same name
_LEAVES = {"kernel": "weight", "scale": "weight", "mean": "running_mean", "var": "running_var"}
_MODULES = (  # one after the other, on the dotted path between part and leaf
    (r"^layer(\d)_(\d+)", r"layer\1.\2"),
    (r"downsample_conv$", "downsample.0"),
    (r"downsample_bn$", "downsample.1"),
    (r"^block(\d)_conv(\d)$", r"blocks.\1.conv\2.0"),
    (r"^block(\d)_bn(\d)$", r"blocks.\1.conv\2.1"),
)

# What DataParallel, torch.compile and trainers put in front of every name.
_WRAPPERS = re.compile(r"^((module|_orig_mod|model)\.)+")

# Hugging Face's transformers name the same ResNet in their own way; layers count from 0.
_TRANSFORMERS = (
    (r"^(resnet\.)?embedder\.embedder\.convolution\.", "conv1."),
    (r"^(resnet\.)?embedder\.embedder\.normalization\.", "bn1."),
    (r"^classifier\.1\.", "fc."),
)
_TRANSFORMERS_LAYER = re.compile(
    r"^(?:resnet\.)?encoder\.stages\.(\d)\.layers\.(\d+)\."
    r"(?:layer\.(\d)|(shortcut))\.(convolution|normalization)\."
)


def torch_name(path: Path) -> str:
    """Return the PyTorch name of the variable at `path`."""
    _, part, *modules, leaf = path
    name = ".".join(modules)
    if part == "map_head":
        name = "0"  # the only layer of a Sequential
    for pattern, replacement in _MODULES:
        name = re.sub(pattern, replacement, name)
    return ".".join((_PARTS.get(part, part), name, _LEAVES.get(leaf, leaf)))


def to_torch(path: Path, value: np.ndarray) -> np.ndarray:
    """Return a variable in PyTorch's layout: kernels HWIO as OIHW, `[c, k]` as `[k, c]`."""
    if path[-1] != "kernel":
        return value
    if value.ndim == 4:
        return value.transpose(3, 2, 0, 1)
    return value.T[:, :, None, None] if _is_convolution(path) else value.T


def from_torch(path: Path, value: np.ndarray) -> np.ndarray:
    """Undo `to_torch`; a tensor of another rank than the variable's comes back as it is."""
    if path[-1] != "kernel":
        return value
    if value.ndim == 4:
        value = value.transpose(2, 3, 1, 0)
        return value[0, 0] if _is_convolution(path) and value.shape[:2] == (1, 1) else value
    return value.T if value.ndim == 2 else value


def _is_convolution(path: Path) -> bool:
    # Class scores at every place are a Dense layer here and a 1x1 convolution in PyTorch.
    return path[-3:-1] == ("classification_head", "conv")


def unet_names(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Rename the tensors of any naming that is known to the one of this module.

    Known: U-Nets; a ResNet alone as torchvision, timm or transformers name it, which becomes the
    encoder, its "fc." left as it is; all of them behind the prefixes of wrappers. Batch norm's
    counters, which nothing reads, are dropped. Unknown names stay.
    """
    renamed = {x: y for x, y in tensors.items() if not x.endswith("num_batches_tracked")}
    if all(map(_WRAPPERS.match, renamed)):
        renamed = {_WRAPPERS.sub("", name): x for name, x in renamed.items()}
    renamed = {_from_transformers(name): x for name, x in renamed.items()}
    if "conv1.weight" in renamed:
        renamed = {x if x.startswith("fc.") else f"encoder.{x}": y for x, y in renamed.items()}
    return renamed


def _from_transformers(name: str) -> str:
    for pattern, replacement in _TRANSFORMERS:
        name = re.sub(pattern, replacement, name)
    found = _TRANSFORMERS_LAYER.match(name)
    if found is None:
        return name
    stage, block, layer, shortcut, kind = found.groups()
    convolution = kind == "convolution"
    if shortcut:
        module = "downsample.0" if convolution else "downsample.1"
    else:
        module = f"{'conv' if convolution else 'bn'}{int(layer) + 1}"
    return f"layer{int(stage) + 1}.{block}.{module}.{name[found.end() :]}"
