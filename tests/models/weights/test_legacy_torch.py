"""PyTorch's old form of a state dict, against PyTorch."""

import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch

from tcam_jax.models.weights.legacy_torch import read_legacy


def _save(path, content):
    torch.save(content, path, _use_new_zipfile_serialization=False)
    return path


def test_the_tensors_that_pytorch_wrote(tmp_path):
    rng = torch.Generator().manual_seed(0)
    whole = torch.randn(4, 6, 5, generator=rng)
    content = OrderedDict(
        whole=whole,
        part=whole[1:3, 2:, ::2],  # a view of the same storage
        turned=torch.randn(3, 4, generator=rng).T,
        count=torch.tensor(7),
        empty=torch.zeros(0, 3),
    )
    found = read_legacy(_save(tmp_path / "file.pth", content))
    assert list(found) == list(content)
    for name, tensor in content.items():
        np.testing.assert_array_equal(found[name], tensor.numpy())
        assert found[name].dtype == tensor.numpy().dtype and found[name].flags["OWNDATA"]


def test_nothing_else_is_made_of_it(tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("run",))

    for content in ({"a": Evil()}, {"a": torch.zeros(2, dtype=torch.float16)}):
        with pytest.raises(pickle.UnpicklingError, match="is no part of a state dict"):
            read_legacy(_save(tmp_path / "file.pth", content))
