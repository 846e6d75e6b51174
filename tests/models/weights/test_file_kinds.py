"""Files that are no weights, or not only: each is told for what it is, and what to do with it."""

import argparse
import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from tcam_jax.models.weights.weight_files import read_tensors
from tcam_jax.runtime.errors import InputError
from tests.runtime.test_plain_files import pipe, sparse


def _torch_script(path: Path) -> None:
    class Twice(torch.nn.Module):
        def forward(self, x):
            return 2 * x

    torch.jit.trace(Twice(), torch.ones(2)).save(str(path))


def _tar(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("weights.pth"), io.BytesIO())


def _zip(path: Path, name: str = "weights.pth") -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, b"x")


def _bomb(path: Path) -> None:
    """An archive that says that it holds a terabyte."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", b"x")
        archive.filelist[0].file_size = 10**12


def _whole(path: Path) -> None:
    torch.save(torch.nn.Sequential(torch.nn.Linear(2, 2)), path)


def _cut(path: Path) -> None:
    torch.save({"a": torch.zeros(99)}, path)
    path.write_bytes(path.read_bytes()[:400])


ADVICE = "Save the state dict alone, where the file comes from: `torch.save(model.state_dict()"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("write", "told"),
    [
        (_torch_script, "is a TorchScript archive: .* `torch.save(torch.jit.load("),
        (_whole, "it holds Python objects (torch.nn.modules.container.Sequential) .* " + ADVICE),
        (
            lambda path: torch.save({"args": argparse.Namespace(lr=1), "x": torch.ones(1)}, path),
            "it holds Python objects (argparse.Namespace) besides tensors, which would run code. "
            + ADVICE,
        ),
        (lambda path: torch.save({"x": np.ones(2)}, path), "besides tensors, .* " + ADVICE),
        (lambda path: path.write_bytes(gzip.compress(b"x")), "compressed (gzip). Unpack it"),
        (_tar, "an archive (tar). Unpack it"),
        (_zip, "an archive (zip). Unpack it"),
        (lambda path: _zip(path, "model/archive_format"), "a program of torch.export"),
        (lambda path: np.savez(path.open("wb"), a=np.ones(2)), "NumPy arrays. Convert"),
        (lambda path: np.save(path.open("wb"), np.ones(2)), "one NumPy array. Convert"),
        (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + b"x" * 99), "an HDF5 file, as of"),
        (lambda path: path.write_bytes(b"\n<!DOCTYPE html>"), "a web page. Download the file"),
        (
            lambda path: path.write_text("version https://git-lfs.github.com/spec/v1"),
            "git lfs pull",
        ),
        (lambda path: path.write_bytes(b""), "empty. Copy or download it again"),
        (lambda path: path.write_bytes(b"anything"), "none of these, or damaged. Copy or"),
        (pipe, "cannot be read (it is a named pipe, where a file should be)"),
        (sparse, "cannot be read (it has 1.0 TB, where at most 8.6 GB can be)"),
        (lambda path: path.symlink_to(path.name), "must be a file of weights; there is none"),
        (_bomb, "is damaged or cut short (it has 1.0 TB, where at most 8.6 GB can be)"),
        (_cut, "is damaged or cut short (File is not a zip file); copy it again"),
    ],
)
@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_what_it_is_and_what_to_do(tmp_path, write, told, name):
    path = tmp_path / name
    write(path)
    with pytest.raises(InputError) as error:
        read_tensors(path)
    said = str(error.value)
    assert said.startswith(str(path)) and "weights_only" not in said and "\n" not in said
    for part in told.split(".*"):
        assert part in said, said
