"""Files of weights: every tensor where it belongs and as it was, or one refusal."""

import functools
import io
import json
import struct
import tempfile
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import torch
from flax import traverse_util
from hypothesis import example, given
from hypothesis import strategies as st
from safetensors.torch import save

from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.tcam import TCAM, variable_shapes
from tcam_jax.models.weights import naming
from tcam_jax.models.weights.pretrained import adopt, own_tensors, torch_tensors
from tcam_jax.models.weights.weight_files import read_tensors, write_tensors
from tests.fuzz import damage, outcome

TENSORS = {"conv1.weight": torch.arange(24.0).reshape(2, 3, 4), "bn1.bias": torch.ones(7)}
MODEL = TCAM(2, ENCODERS["efficientnet_lite0"], decoder_width=0.125)
WORDS = st.sampled_from(["module", "encoder", "encoder_q", "backbone", "state_dict", "0", "conv1"])
STRAYS = st.sampled_from(
    ["fc.weight", "params/x", "epoch", "", ".", "encoder.", "a.b.c", "layer9.0.conv1.weight"]
)
NO_FLOATS = st.sampled_from(
    [np.int8, np.uint8, np.bool_, np.complex64, np.int64, "S4", "O", ml_dtypes.int4]
)


@pytest.fixture(scope="module", autouse=True)
def _one_encoder():
    """The others would be traced for a message, for seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(naming, "ENCODERS", {"efficientnet_lite0": MODEL.backbone})
        yield


@functools.cache
def _variables():
    """Each of the network's arrays has a number of its own, in every place."""
    flat = traverse_util.flatten_dict(variable_shapes(MODEL, 32))
    made = {
        path: np.broadcast_to(np.float32(number), shape.shape)
        for number, (path, shape) in enumerate(flat.items(), 1)
    }
    return traverse_util.unflatten_dict(made)


def _is_as_it_was(loaded) -> bool:
    before = traverse_util.flatten_dict(_variables())
    found = traverse_util.flatten_dict(loaded.variables)
    return all(
        found[path].shape == x.shape and (found[path] == x.flat[0]).all()
        for path, x in before.items()
        if path[1] in loaded.parts
    )


@outcome.examples(6)
@given(st.booleans(), st.lists(WORDS, max_size=2), st.lists(STRAYS, max_size=2), st.randoms())
def test_names_behind_any_prefix_among_strays_and_in_any_order(ours, prefix, strays, random):
    tensors = own_tensors(_variables()) if ours else torch_tensors(_variables(), MODEL)
    before = "" if ours else "".join(f"{word}." for word in prefix)
    given_names = [(before + name, x) for name, x in tensors.items()]
    given_names += [(name, np.zeros(3, np.float32)) for name in strays if name not in tensors]
    random.shuffle(given_names)
    loaded = outcome.of(lambda: adopt(_variables(), dict(given_names), "file", MODEL))
    if isinstance(loaded, outcome.Refused):
        assert strays  # which may look like a part of another network
    else:
        assert len(loaded.parts) == 4 and _is_as_it_was(loaded)


@st.composite
def _another(draw: st.DrawFn, x: np.ndarray) -> np.ndarray:
    """What is no such tensor."""
    match draw(st.sampled_from(("dtype", "shape", "value"))):
        case "dtype":
            return np.ones(x.shape, draw(NO_FLOATS))
        case "shape":
            shape = draw(st.sampled_from([x.shape[1:], (1, *x.shape), (0, *x.shape[1:]), (2**20,)]))
            return np.broadcast_to(np.float32(1), shape)
    broken = np.array(x)
    broken.flat[draw(st.integers(0, x.size - 1))] = draw(st.sampled_from([np.nan, np.inf]))
    return broken


@outcome.examples(12)
@given(st.booleans(), st.data())
def test_what_is_no_such_tensor_is_refused(ours, data):
    tensors = own_tensors(_variables()) if ours else torch_tensors(_variables(), MODEL)
    name = data.draw(st.sampled_from([n for n in tensors if "classification_head" not in n]))
    match data.draw(st.sampled_from(("other", "other", "gone", "renamed"))):
        case "other":
            tensors[name] = data.draw(_another(tensors[name]))
        case "gone":
            del tensors[name]
        case "renamed":
            tensors[f"{name}x"] = tensors.pop(name)
    loaded = outcome.of(lambda: adopt(_variables(), tensors, "file", MODEL))
    assert isinstance(loaded, outcome.Refused)


def _read(content: bytes):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "weights")
        path.write_bytes(content)
        read = outcome.of(lambda: read_tensors(path))
        # Before the file goes: its memory may be mapped.
        return read if isinstance(read, outcome.Refused) else {n: x.copy() for n, x in read.items()}


@functools.cache
def _file(form: str) -> bytes:
    if form == "safetensors":
        return save(TENSORS)
    if form == "msgpack":
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "weights.msgpack")
            write_tensors(path, {f"params/{n}": x.numpy() for n, x in TENSORS.items()})
            return path.read_bytes()
    file = io.BytesIO()
    torch.save(TENSORS, file, _use_new_zipfile_serialization=form == "zip")
    return file.getvalue()


@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors", "msgpack"])
@outcome.examples(30)
@given(st.data())
def test_damaged_files(form, data):
    content = _file(form)
    made = data.draw(damage.cut(content) | damage.bytes_of(content))
    read = _read(made)
    if isinstance(read, outcome.Refused):
        return
    if form != "zip" and not content.startswith(made):
        return  # nothing in the file tells one number from another
    assert {n.removeprefix("params/"): x.tolist() for n, x in read.items()} == {
        name: x.tolist() for name, x in TENSORS.items()
    }


@outcome.examples(40)
@given(st.data())
def test_headers_of_safetensors(data):
    content = _file("safetensors")
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    header = data.draw(damage.json_of(header))
    made = json.dumps(header).encode()
    _read(struct.pack("<Q", len(made)) + made + content[8 + length :])


KINDS = {
    "plain": lambda x: x,
    "sparse": lambda x: x.to_sparse(),
    "no values": lambda x: x.to("meta"),
    "conjugate": lambda x: x.conj(),
    "negative": lambda x: torch._neg_view(-x),
    "nested": lambda x: torch.nested.nested_tensor([x, x[1:]]),
}
DTYPES = [
    *(torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e8m0fnu, torch.bfloat16, torch.float16),
    *(torch.float64, torch.complex64, torch.complex128, torch.complex32, torch.int8, torch.uint16),
    *(torch.int64, torch.bool),
]


@pytest.mark.filterwarnings("ignore")
@outcome.examples(20)
@given(st.sampled_from(sorted(KINDS)), st.sampled_from(DTYPES), st.booleans())
@example("plain", torch.float8_e4m3fn, True)
@example("plain", torch.float8_e4m3fn, False)
@example("sparse", torch.float32, False)
@example("no values", torch.float32, False)
def test_kinds_of_tensors_that_are_no_damage(kind, dtype, safe):
    if safe and kind == "negative":
        return  # safetensors writes other numbers, itself
    try:
        tensors = {"a": KINDS[kind](torch.ones(3, dtype=torch.int8).to(dtype)), "b": torch.ones(2)}
        file = io.BytesIO(save(tensors)) if safe else io.BytesIO()
    except (RuntimeError, ValueError, KeyError):
        return  # PyTorch has no such tensors, or safetensors has not
    if not safe:
        torch.save(tensors, file)
    read = _read(file.getvalue())
    if isinstance(read, outcome.Refused):
        assert "damaged" not in read.message and (safe or "'a'" in read.message)
    else:
        assert np.array_equal(read["a"], np.ones(3)) and np.array_equal(read["b"], np.ones(2))
