"""State dicts in the form that PyTorch wrote before 1.6, without PyTorch.

For `weights.published` alone, whose files are known to the byte: PyTorch would be gigabytes of
installation for 18 MB of weights. All other files are read by PyTorch itself, see `weight_files`.

Such a file is a row of pickles (magic number, protocol, system, the state dict with references in
its tensors' places, the storages' keys), then each storage: its length, int64, and its numbers.
"""

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

_STORAGES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class _Reference(NamedTuple):
    key: str  # of the storage
    dtype: np.dtype
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_legacy(path: Path) -> dict[str, np.ndarray]:
    """Return the tensors of a state dict by their names.

    Raises:
      pickle.UnpicklingError: it holds something else than float32 and int64 tensors; no code of
        its choosing is run.
    """
    with path.open("rb") as file:
        for _ in range(3):
            _Unpickler(file).load()
        references: dict[str, _Reference] = _Unpickler(file).load()
        keys: list[str] = _Unpickler(file).load()
        dtypes = {reference.key: reference.dtype for reference in references.values()}
        storages = {key: _storage(file, dtypes[key]) for key in keys}
    return {name: _tensor(storages[r.key], r) for name, r in references.items()}


def _storage(file: BinaryIO, dtype: np.dtype) -> np.ndarray:
    count = int(np.frombuffer(file.read(8), "<i8")[0])
    return np.frombuffer(file.read(count * dtype.itemsize), dtype)


def _tensor(storage: np.ndarray, reference: _Reference) -> np.ndarray:
    strides = [stride * storage.itemsize for stride in reference.strides]
    view = np.lib.stride_tricks.as_strided(
        storage[reference.offset :], reference.shape, strides, writeable=False
    )
    return view.copy()


class _Unpickler(pickle.Unpickler):
    """Knows what a state dict is made of, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _reference
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a state dict")

    def persistent_load(self, pid: Any) -> tuple[np.dtype, str]:
        _, dtype, key, *_ = pid
        return dtype, key


def _reference(
    storage: tuple[np.dtype, str],
    offset: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    *_: object,
) -> _Reference:
    dtype, key = storage
    return _Reference(key, dtype, offset, shape, strides)
