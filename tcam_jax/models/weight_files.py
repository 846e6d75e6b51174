"""Files of weights as flat {name: array}; reading one never runs code from it.

Formats, by suffix:
  .safetensors                  of PyTorch (torchvision, timm, Hugging Face) or of ours
  .pth, .pt, .bin, .ckpt        PyTorch state dicts, read by `torch.load(weights_only=True)`
  .msgpack                      ours: Flax's serialisation of {"params", "batch_stats"}
"""

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import safetensors
from flax import serialization, traverse_util
from safetensors.numpy import load_file, save_file

from tcam_jax.errors import InputError

Tensors = dict[str, np.ndarray]

# Where trainers put the state dict inside what they save.
_WRAPPERS = ("state_dict", "model_state_dict", "model")


def read_tensors(path: Path) -> Tensors:
    """Return all tensors of a file of weights by their names in it; nested names joined by "/".

    Raises:
      InputError: there is no such file, its format is unknown, it is damaged, or it holds
        something else than tensors.
    """
    if not path.is_file():
        raise InputError(f"{path} must be a file of weights; there is none. Check the path.")
    if path.suffix not in _READERS:
        raise InputError(
            f"{path} must end in {', '.join(_READERS)}; {path.suffix!r} is not known. "
            "Convert the weights to .safetensors."
        )
    tensors = _READERS[path.suffix](path)
    for name, tensor in tensors.items():
        if not isinstance(tensor, np.ndarray):
            raise InputError(
                f"{path} must hold tensors by name; {name!r} is of type {type(tensor).__name__}. "
                "Save the state dict alone."
            )
    if not tensors:
        raise InputError(f"{path} holds no tensors; save the state dict of a trained network.")
    return tensors


def write_tensors(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Write `tensors` to `path`, whole or not at all: .safetensors, or .msgpack of nested names.

    Raises:
      InputError: `path` has another suffix, or cannot be written.
    """
    if path.suffix not in (".safetensors", ".msgpack"):
        raise InputError(f"{path} must end in .safetensors or .msgpack, to say what to write.")
    temporary = path.with_suffix(".tmp")
    try:
        if path.suffix == ".safetensors":
            contiguous = {name: np.ascontiguousarray(x) for name, x in tensors.items()}
            save_file(contiguous, temporary, metadata={"format": "pt"})
        else:
            nested = traverse_util.unflatten_dict(dict(tensors), sep="/")
            temporary.write_bytes(serialization.msgpack_serialize(nested))
        temporary.replace(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise InputError(f"{path} cannot be written ({error}); choose another place.") from error


def _read_safetensors(path: Path) -> Tensors:
    try:
        return load_file(path)
    except (safetensors.SafetensorError, OSError, ValueError, KeyError) as error:
        raise _damaged(path, error) from error


def _read_torch(path: Path) -> dict[str, Any]:
    try:
        import torch
    except ImportError as error:
        raise InputError(
            f"{path} is a PyTorch file, and PyTorch is not installed: `pip install torch`, or "
            "convert the file to .safetensors where it is."
        ) from error
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} cannot be read safely: it is damaged, or it holds Python objects besides "
            "tensors, which would run code. Save the state dict alone, "
            "`torch.save(model.state_dict(), …)`, or better a .safetensors file."
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError) as error:
        raise _damaged(path, error) from error
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping):
        raise InputError(
            f"{path} must hold a state dict; it holds a {type(content).__name__}. Save "
            "`model.state_dict()`."
        )
    # bfloat16 has no counterpart in NumPy that torch knows.
    return {
        str(name): value.float().numpy() if isinstance(value, torch.Tensor) else value
        for name, value in content.items()
    }


def _read_msgpack(path: Path) -> dict[str, Any]:
    try:
        nested = serialization.msgpack_restore(path.read_bytes())
    except (msgpack.exceptions.UnpackException, ValueError, TypeError, OSError) as error:
        raise _damaged(path, error) from error
    if not isinstance(nested, dict):
        raise InputError(f"{path} must hold a Flax state; it holds a {type(nested).__name__}.")
    return traverse_util.flatten_dict(nested, sep="/")


def _damaged(path: Path, error: Exception) -> InputError:
    reason = str(error).strip().splitlines()[:1]
    return InputError(
        f"{path} is damaged or no {path.suffix} file ({reason[0] if reason else type(error)}); "
        "copy or download it again."
    )


_READERS: dict[str, Callable[[Path], dict[str, Any]]] = {
    ".safetensors": _read_safetensors,
    ".pth": _read_torch,
    ".pt": _read_torch,
    ".bin": _read_torch,
    ".ckpt": _read_torch,
    ".msgpack": _read_msgpack,
}
