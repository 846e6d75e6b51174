"""Files of weights as flat {name: array}; reading one never runs code from it.

The formats, told apart by what is in the file (`file_kinds`), not by its name:
  PyTorch       state dicts, and checkpoints of trainers, by `torch.load(weights_only=True)`
  safetensors   of PyTorch (torchvision, timm, Hugging Face) or of ours
  MessagePack   ours: Flax's serialisation of {"params", "batch_stats"}
"""

import os
import pickle
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from flax import serialization, traverse_util
from safetensors.numpy import load_file, save_file

from tcam_jax.models.weights.file_kinds import MOST_BYTES, Kind, kind_of
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.plain_files import read_bytes

Tensors = dict[str, np.ndarray]

# Before it, `weights_only=True` could be got round (CVE-2025-32434, CVE-2026-24747).
SAFE_TORCH = (2, 10)
_SAVE = (
    "Save the state dict alone, where the file comes from: "
    '`torch.save(model.state_dict(), "weights.pth")`, or better a .safetensors file.'
)
_AS_FLOATS = "Save the weights as dense float32 tensors, where the file comes from."


def read_tensors(path: Path) -> Tensors:
    """Return all tensors of a file of weights by their names in it.

    Where a trainer saved more than a state dict, names are as they lie in one another, joined by
    "." ("state_dict.conv1.weight"), of ours by "/"; what is no tensor is passed over.

    Raises:
      InputError: there is no such file, its format is unknown, it is damaged, or it holds no
        tensors, or objects that would run code.
    """
    if not path.exists():
        raise InputError(f"{path} must be a file of weights; there is none. Check the path.")
    content = _READERS[kind_of(path)](path)
    tensors = {name: x for name, x in content.items() if isinstance(x, np.ndarray)}
    if not tensors:
        held = ", ".join(list(content)[:5]) or "nothing"
        raise InputError(f"{path} holds no tensors, but {held}; save a trained network's weights.")
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
        with suppress(OSError):
            temporary.unlink()


def _read_safetensors(path: Path) -> Tensors:
    try:
        return load_file(path)
    except (AttributeError, TypeError) as error:  # such as 8-bit floats
        reason = f"it holds numbers of a kind that NumPy has not ({error})"
        raise InputError(f"{path} cannot be used: {reason}. {_AS_FLOATS}") from error
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
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's advice is for its own users
            # A file and no name, by which it would go.
            content = torch.load(file, map_location="cpu", weights_only=True)
        if isinstance(content, Mapping):
            is_tensor = lambda value: isinstance(value, torch.Tensor)  # noqa: E731
            return {n: _in_numpy(path, n, x) if is_tensor(x) else x for n, x in _flat(content)}
    except InputError:
        raise
    except pickle.UnpicklingError as error:
        # PyTorch's own advice, to read it all the same, is not passed on.
        named = re.search(r"Unsupported (?:global|class): (?:GLOBAL )?([\w.]+)", str(error))
        objects = f"Python objects ({named[1]})" if named else "Python objects"
        damaged = "" if named else "is damaged, or it "
        raise InputError(
            f"{path} cannot be read safely: it {damaged}holds {objects} besides tensors, which "
            f"would run code. {_SAVE}"
        ) from error
    except Exception as error:  # whatever a parser says of bytes that are none of its own
        raise _damaged(path, error) from error
    raise InputError(f"{path} must hold a state dict; it holds a {type(content).__name__}. {_SAVE}")


def _flat(content: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _in_numpy(path: Path, name: str, tensor: Any) -> np.ndarray:
    # Old files hold parameters, which need a gradient; NumPy as torch knows it has no bfloat16.
    tensor = tensor.detach().resolve_conj().resolve_neg()
    try:
        return (tensor.float() if tensor.dtype.itemsize == 2 else tensor).numpy()
    except (TypeError, RuntimeError) as error:  # sparse, quantised, of 8-bit floats, without values
        kind = f"{tensor.dtype}, {tensor.layout}, on {tensor.device}".replace("torch.", "")
        raise InputError(
            f"{path} cannot be used: its tensor {name!r} ({kind}) is none of plain numbers. "
            f"{_AS_FLOATS}"
        ) from error


def _read_msgpack(path: Path) -> dict[str, Any]:
    try:
        nested = serialization.msgpack_restore(read_bytes(path, MOST_BYTES))
        return traverse_util.flatten_dict(nested, sep="/")
    except Exception as error:  # whatever a parser says of bytes that are none of its own
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> InputError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return InputError(f"{path} is damaged ({reason}); copy or download it again.")


_READERS: dict[Kind, Callable[[Path], dict[str, Any]]] = {
    "torch": _read_torch,
    "safetensors": _read_safetensors,
    "msgpack": _read_msgpack,
}
