"""Files of weights: every format read, every bad file told in one clear error, no code ever run."""

import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tcam_jax.models.weights.weight_files import read_tensors, write_tensors
from tcam_jax.runtime.errors import InputError

TENSORS = {
    "conv1.weight": torch.arange(24.0).reshape(2, 3, 2, 2),
    "bn1.bias": torch.tensor([0.5, -1.5]),
}


def _write(path, tensors, **kwargs):
    if path.suffix == ".safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path, **kwargs)


# As people name them: none says what the file is.
NAMES = (
    "w.pth",
    "w.pth.tar",
    "w.PTH",
    "w.bin",
    "w.pt",
    "w.ckpt",
    "w",
    "w.safetensors",
    "w.msgpack",
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors", "msgpack"])
def test_a_file_is_what_is_in_it_whatever_its_name(tmp_path, name, form):
    path = tmp_path / name
    if form == "safetensors":
        save_file(TENSORS, path)
    elif form == "msgpack":
        write_tensors(tmp_path / "x.msgpack", {n: x.numpy() for n, x in TENSORS.items()})
        (tmp_path / "x.msgpack").rename(path)
    else:
        torch.save(TENSORS, path, _use_new_zipfile_serialization=form == "zip")
    read = read_tensors(path)
    assert set(read) == set(TENSORS)
    for key, tensor in TENSORS.items():
        np.testing.assert_array_equal(read[key], tensor.numpy())


@pytest.mark.parametrize("new", [True, False])
def test_parameters_instead_of_tensors(tmp_path, new):
    """Old files hold them, and they need a gradient."""
    path = tmp_path / "weights.pth"
    parameters = {name: torch.nn.Parameter(x) for name, x in TENSORS.items()}
    _write(path, parameters, _use_new_zipfile_serialization=new)
    read = read_tensors(path)
    for name, tensor in TENSORS.items():
        np.testing.assert_array_equal(read[name], tensor.numpy())


def test_a_trainers_checkpoint_is_read_with_all_its_tensors(tmp_path):
    path = tmp_path / "checkpoint.pth"
    optimizer = {"state": {0: {"momentum": torch.ones(2)}}, "lr": 0.1}
    content = {"epoch": 3, "net": {"ema": TENSORS, "by": "me"}, "optimizer": optimizer}
    torch.save(content, path)
    expected = {f"net.ema.{name}" for name in TENSORS} | {"optimizer.state.0.momentum"}
    assert set(read_tensors(path)) == expected


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_bfloat16_tensors(tmp_path, suffix):
    path = tmp_path / f"weights{suffix}"
    _write(path, {"x": torch.tensor([1.5, -2.0]).bfloat16()})
    np.testing.assert_array_equal(read_tensors(path)["x"].astype(np.float32), [1.5, -2.0])


@pytest.mark.parametrize("suffix", [".safetensors", ".msgpack"])
def test_what_is_written_is_read_again(tmp_path, suffix):
    tensors = {
        "params/a/kernel": np.arange(6, dtype=np.float32).reshape(2, 3).T,  # not contiguous
        "params/a/bias": np.zeros(2, np.float32),
    }
    path = tmp_path / f"weights{suffix}"
    write_tensors(path, tensors)
    read = read_tensors(path)
    assert set(read) == set(tensors)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(read[name], tensor)
    assert [x.name for x in tmp_path.iterdir()] == [path.name]


class _Trap:
    """Unpickled the ordinary way, this would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("writer", ["pickle", "torch", "torch_old"])
def test_a_pickle_with_code_in_it_is_not_run(tmp_path, writer):
    path, trace = tmp_path / "weights.pth", tmp_path / "trace"
    content = {**TENSORS, "extra": _Trap(trace)}
    if writer == "pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=writer == "torch")
    with pytest.raises(InputError, match="would run code. Save the state dict alone") as error:
        read_tensors(path)
    assert not trace.exists() and "weights_only" not in str(error.value)
    if writer == "pickle":
        pickle.loads(path.read_bytes())["extra"].close()
        assert trace.exists(), "the trap would not have worked"


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".msgpack"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.95])
def test_truncated_files(tmp_path, suffix, kept):
    path = tmp_path / f"weights{suffix}"
    if suffix == ".msgpack":
        write_tensors(path, {"params/a": np.zeros((50, 50), np.float32)})
    else:
        _write(path, {"a": torch.zeros(50, 50), "b": torch.zeros(7)})
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(InputError, match=r"weights\.\w+ (is|cannot|must)"):
        read_tensors(path)


def test_files_of_the_old_format_truncated_anywhere(tmp_path):
    path = tmp_path / "weights.pth"
    _write(path, TENSORS, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    for kept in range(0, len(content) - 8, 7):
        path.write_bytes(content[:kept])
        with pytest.raises(InputError, match=r"weights\.pth (is damaged|cannot|must)"):
            read_tensors(path)


def test_a_flipped_bit_is_found_by_its_checksum_where_there_is_one(tmp_path):
    """PyTorch reads other numbers, and says nothing."""
    path, numbers = tmp_path / "weights.pth", torch.arange(500.0)
    for checksums in (True, False):
        torch.serialization.set_crc32_options(checksums)
        try:
            _write(path, {"a": numbers})
        finally:
            torch.serialization.set_crc32_options(True)
        assert read_tensors(path)["a"].tolist() == numbers.tolist()
    _write(path, {"a": numbers})
    content = bytearray(path.read_bytes())
    content[content.index(numbers.numpy().tobytes()) + 40] ^= 1
    path.write_bytes(content)
    assert torch.load(path)["a"].tolist() != numbers.tolist()
    with pytest.raises(InputError, match=r"weights\.pth is damaged .*checksum of .*data/0"):
        read_tensors(path)


def test_an_old_pytorch_reads_no_pickle(tmp_path, monkeypatch):
    path = tmp_path / "weights.pth"
    _write(path, TENSORS)
    monkeypatch.setattr(torch, "__version__", "2.5.1+cpu")
    with pytest.raises(InputError, match=r"needs PyTorch 2\.10 or newer .* this is 2\.5\.1"):
        read_tensors(path)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".msgpack"])
def test_files_of_something_else(tmp_path, suffix):
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(b"<html>404 Not Found</html>" * 20)
    with pytest.raises(InputError, match=r"weights\.\w+ (is|cannot|must)"):
        read_tensors(path)


def test_missing_files_and_formats_that_are_not_written(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.pth must be a file of weights; there is none"):
        read_tensors(tmp_path / "nothing.pth")
    with pytest.raises(InputError, match="must end in .safetensors or .msgpack"):
        write_tensors(tmp_path / "weights.pth", {"a": np.zeros(1)})
    with pytest.raises(InputError, match="cannot be written"):
        write_tensors(tmp_path / "no folder" / "weights.safetensors", {"a": np.zeros(1)})
    with pytest.raises(InputError, match="cannot be written.*too long"):  # with what is before it
        write_tensors(tmp_path / ("w" * 243 + ".safetensors"), {"a": np.zeros(1)})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.zeros(2)], "must hold a state dict; it holds a list"),
        (torch.zeros(2), "must hold a state dict; it holds a Tensor"),
        ({"epoch": 3, "args": {"lr": 0.1}}, "holds no tensors, but epoch, args.lr; save"),
        ({}, "holds no tensors, but nothing"),
    ],
)
def test_what_is_no_state_dict(tmp_path, content, message):
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    with pytest.raises(InputError, match=message):
        read_tensors(path)


def test_without_pytorch(tmp_path, monkeypatch):
    import sys

    path = tmp_path / "weights.pth"
    _write(path, TENSORS)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match="tcam_jax.pretrained."):
        read_tensors(path)
