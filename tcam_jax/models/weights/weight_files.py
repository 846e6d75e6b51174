"""Files of weights as flat {name: array}; reading one never runs code from it.

Formats, by suffix:
  .safetensors                  of PyTorch (torchvision, timm, Hugging Face) or of ours
  .pth, .pt, .bin, .ckpt        PyTorch state dicts, read by `torch.load(weights_only=True)`
  .msgpack                      ours: Flax's serialisation of {"params", "batch_stats"}
"""

import os
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from flax import serialization, traverse_util
from safetensors.numpy import load_file, save_file

from tcam_jax.runtime.errors import InputError

Tensors = dict[str, np.ndarray]

# Before it, `weights_only=True` could be got round (CVE-2025-32434, CVE-2026-24747).
SAFE_TORCH = (2, 10)
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
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
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
    finally:
        temporary.unlink(missing_ok=True)


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
            f"{path} is a PyTorch file, and PyTorch is not installed: "
            "pip install 'tcam_jax[pretrained]', or convert the file to .safetensors where it is."
        ) from error
    if tuple(map(int, torch.__version__.split(".")[:2])) < SAFE_TORCH:
        wanted = ".".join(map(str, SAFE_TORCH))
        raise InputError(
            f"{path} needs PyTorch {wanted} or newer to be read safely, this is "
            f"{torch.__version__}: `pip install 'torch>={wanted}'`, or convert it to .safetensors."
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        for wrapper in _WRAPPERS:
            if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
                content = content[wrapper]
        if isinstance(content, Mapping):
            is_tensor = lambda value: isinstance(value, torch.Tensor)  # noqa: E731
            return {str(n): _in_numpy(x) if is_tensor(x) else x for n, x in content.items()}
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} cannot be read safely: it is damaged, or it holds Python objects besides "
            "tensors, which would run code. Save the state dict alone, "
            "`torch.save(model.state_dict(), …)`, or better a .safetensors file."
        ) from error
    except Exception as error:  # whatever a parser says of bytes that are none of its own
        raise _damaged(path, error) from error
    raise InputError(
        f"{path} must hold a state dict; it holds a {type(content).__name__}. Save "
        "`model.state_dict()`."
    )


def _in_numpy(tensor: Any) -> np.ndarray:
    # Old files hold parameters, which need a gradient; NumPy as torch knows it has no bfloat16.
    tensor = tensor.detach()
    return (tensor.float() if tensor.dtype.itemsize == 2 else tensor).numpy()


def _read_msgpack(path: Path) -> dict[str, Any]:
    try:
        return traverse_util.flatten_dict(serialization.msgpack_restore(path.read_bytes()), sep="/")
    except Exception as error:  # whatever a parser says of bytes that are none of its own
        raise _damaged(path, error) from error


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
