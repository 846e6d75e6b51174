"""Names and layouts of our variables in PyTorch.

The naming is that of the reference's checkpoints: the encoder's own names (`Encoder.renamings`)
behind "encoder.", then "decoder." and "segmentation_head." as in segmentation_models_pytorch's
U-Net, and "classification_head.". A variable's path is such as ("params", "encoder", "layer1_0",
"conv1", "kernel").
"""

import re
from collections.abc import Mapping

import numpy as np

from tcam_jax.models.encoders.encoder import Renaming

Path = tuple[str, ...]

_PARTS = {"map_head": "segmentation_head"}  # the others have the same name
_LEAVES = {"kernel": "weight", "scale": "weight", "mean": "running_mean", "var": "running_var"}
_DECODER = (
    (r"^block(\d)_conv(\d)\b", r"blocks.\1.conv\2.0"),
    (r"^block(\d)_bn(\d)\b", r"blocks.\1.conv\2.1"),
)


def torch_name(path: Path, renaming: Renaming) -> str:
    """Return the PyTorch name of the variable at `path`; `renaming` is the encoder's."""
    _, part, *modules, leaf = path
    if part == "map_head":
        modules = ["0"]  # the only layer of a Sequential
    name = ".".join((*modules, _LEAVES.get(leaf, leaf)))
    for pattern, replacement in renaming.rules if part == "encoder" else _DECODER:
        name = re.sub(pattern, replacement, name)
    return f"{_PARTS.get(part, part)}.{name}"


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


def without_counters(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Leave out batch norm's counters, which nothing reads."""
    return {name: x for name, x in tensors.items() if not name.endswith("num_batches_tracked")}
