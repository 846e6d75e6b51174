"""Pretrained weights: tensors of a file into the network's variables, and back.

A part of the network (encoder, classification head, decoder, map head) is taken whole or, where the
file has nothing of it, left as it was. Everything else in the file is an error, but for the layers
that are always trained anew: the classes of another task.
"""

import itertools
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from flax import traverse_util

from tcam_jax.models.encoders.resnet import ARCHITECTURES
from tcam_jax.models.tcam import CLASSIFIER_PARTS, LOCALISER_PARTS, Variables
from tcam_jax.models.weights.torch_names import Path, from_torch, to_torch, torch_name, unet_names
from tcam_jax.runtime.errors import InputError

# A ResNet's own last layer: it tells apart the classes that it was trained on.
LEFT_OUT = ("fc.weight", "fc.bias")
_SHOWN = 5  # names in a message


class Pretrained(NamedTuple):
    """Variables with what a file gave.

    Attributes:
      variables: of the whole network, NumPy arrays where they come from the file.
      parts: those taken from the file.
      left_out: names in the file that are deliberately not used.
    """

    variables: Variables
    parts: tuple[str, ...]
    left_out: tuple[str, ...]


def adopt(variables: Variables, tensors: Mapping[str, np.ndarray], source: str) -> Pretrained:
    """Put the tensors of a file into the variables of the whole network.

    Args:
      variables: of the network as configured, arrays or anything with `shape` and `dtype`.
      tensors: by PyTorch's names (see `torch_names.unet_names`) or by our own paths, joined by "/".
      source: what the messages call the file.

    Raises:
      InputError: tensors are missing, left over, of a wrong shape or not finite; all of a kind are
        counted, the first few named.
    """
    ours = any(name.startswith("params/") for name in tensors)
    tensors = dict(tensors) if ours else unet_names(tensors)
    paths = {
        "/".join(path) if ours else torch_name(path): path
        for path in traverse_util.flatten_dict(variables)
    }
    parts = []
    for part in (*CLASSIFIER_PARTS, *LOCALISER_PARTS):
        names = [name for name, path in paths.items() if path[1] == part]
        missing = [name for name in names if name not in tensors]
        if len(missing) < len(names):
            parts.append(part)
            if missing:
                _refuse(source, f"lacks {len(missing)} tensors of the {part}", missing, tensors)
    left_out = tuple(name for name in LEFT_OUT if name in tensors)
    unknown = [name for name in tensors if name not in paths and name not in left_out]
    if unknown:
        problem = f"holds {len(unknown)} tensors that this network has no place for"
        _refuse(source, problem, unknown, tensors)
    if "encoder" not in parts:
        _refuse(source, "holds nothing of the encoder", list(tensors), tensors)

    flat = dict(traverse_util.flatten_dict(variables))
    wrong, broken = [], []
    for name, path in paths.items():
        if name not in tensors:
            continue
        value = tensors[name] if ours else from_torch(path, tensors[name])
        if value.shape != flat[path].shape:
            expected = flat[path].shape if ours else _torch_shape(path, flat[path].shape)
            wrong.append(f"{name} {list(tensors[name].shape)} instead of {list(expected)}")
        elif not np.isfinite(np.asarray(value, np.float32)).all():
            broken.append(name)
        # A copy: the file's memory may be mapped from it, and training reuses buffers.
        flat[path] = np.array(value, flat[path].dtype)
    if wrong:
        _refuse(source, f"has {len(wrong)} tensors of another shape", wrong, tensors)
    if broken:
        _refuse(source, f"has values that are not finite in {len(broken)}", broken, tensors)
    return Pretrained(traverse_util.unflatten_dict(flat), tuple(parts), left_out)


def torch_tensors(variables: Variables) -> dict[str, np.ndarray]:
    """Return variables by PyTorch's names and in its layout, as `adopt` takes them."""
    return {
        torch_name(path): to_torch(path, np.asarray(value))
        for path, value in traverse_util.flatten_dict(variables).items()
    }


def own_tensors(variables: Variables) -> dict[str, np.ndarray]:
    """Return variables by our own paths, joined by "/", as `adopt` takes them."""
    flat = traverse_util.flatten_dict(variables, sep="/")
    return {name: np.asarray(value) for name, value in flat.items()}


def _torch_shape(path: Path, shape: tuple[int, ...]) -> tuple[int, ...]:
    return to_torch(path, np.broadcast_to(np.int8(0), shape)).shape


def _refuse(source: str, problem: str, names: list[str], tensors: Mapping[str, np.ndarray]) -> None:
    shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    depth = _depth(tensors)
    kind = "is no ResNet that is known here" if depth is None else f"is a ResNet-{depth}"
    raise InputError(
        f"{source} does not fit the configured network: it {problem}: {shown}. The file {kind}; "
        "compare config.model (depth, head) and the number of classes with it."
    )


def _depth(tensors: Mapping[str, np.ndarray]) -> int | None:
    """Recognise the ResNet by its blocks, in either naming."""
    names = {name.replace("params/", "").replace("/", ".").replace("_", ".") for name in tensors}

    def has(module: str) -> bool:
        return any(name.startswith(f"encoder.{module}.") for name in names)

    def blocks_of(stage: int) -> int:
        return next(n for n in itertools.count() if not has(f"layer{stage}.{n}"))

    found = tuple(map(blocks_of, range(1, 5))), has("layer1.0.conv3")
    for depth, architecture in ARCHITECTURES.items():
        if found == architecture:
            return depth
    return None
