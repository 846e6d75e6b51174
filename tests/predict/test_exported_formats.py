"""A network as ONNX and as a SavedModel: the same numbers; clear words where it cannot be had."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import flax.linen as nn
import jax
import numpy as np
import pytest
from PIL import Image

from tcam_jax.evaluate.maps import TCAM_METHOD
from tcam_jax.models.encoders.encoder import Encoder, Feature
from tcam_jax.models.layers import Conv, max_pool
from tcam_jax.models.tcam import TCAM, init_variables
from tcam_jax.predict.exported import load, save
from tcam_jax.predict.programs.plain import plain
from tcam_jax.runtime.errors import InputError

SIZE = 32
PAGE = Path(__file__).parents[2] / "docs" / "predict.md"


class Tiny(Encoder):  # the registered ones take a minute
    output_stride: int = 4
    output_strides: ClassVar = (4,)
    last_stage: ClassVar = ("conv2",)
    renamings: ClassVar = ()

    @property
    def features(self):
        return (Feature("fine", 4, 2), Feature("coarse", 8, 4))

    @nn.compact
    def __call__(self, x, after=None):
        fine = nn.relu(Conv(4, 3, 2, name="conv1")(x))
        return {"fine": fine, "coarse": nn.relu(Conv(8, 3, 1, name="conv2")(max_pool(fine)))}


@pytest.fixture(scope="module")
def network():
    model = TCAM(num_classes=3, backbone=Tiny, decoder_width=0.05)
    return model, init_variables(model, jax.random.key(0), size=SIZE)


@pytest.fixture(scope="module", params=["onnx", "saved_model"])
def folder(request, network, tmp_path_factory):
    if request.param == "onnx":  # not in the extra `test`: its orbax-checkpoint would be an old one
        pytest.importorskip("jax2onnx", reason="pip install '.[onnx]' to test it")
        pytest.importorskip("onnxruntime")
    else:
        pytest.importorskip("tensorflow")
    path = tmp_path_factory.mktemp("exported") / request.param
    save(path, *network, ("a", "b", "c"), SIZE, 0.4, TCAM_METHOD, format=request.param)
    return path


def test_the_same_numbers_for_any_batch(network, folder):
    model, variables = network
    exported = load(folder)
    assert exported[1:] == (("a", "b", "c"), SIZE, 0.4, True, None)
    frames = np.random.default_rng(0).integers(0, 256, (7, SIZE, SIZE, 3), np.uint8)
    expected = jax.jit(plain(model, TCAM_METHOD))(variables, frames)
    for count in (7, 1):
        logits, maps = exported.forward(frames[:count])
        assert (logits.dtype, maps.dtype, maps.shape) == ("float32", "uint8", (count, SIZE, SIZE))
        np.testing.assert_allclose(logits, expected[0][:count], rtol=1e-4, atol=1e-4)
        assert np.abs(maps.astype(int) - expected[1][:count]).max() <= 1
    assert expected[1].std() > 1


def test_damaged(folder, tmp_path):
    broken = tmp_path / "model"
    shutil.copytree(folder, broken)
    largest = max(broken.rglob("*"), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-100])
    with pytest.raises(InputError, match=f"{largest.name} is damaged"):
        load(broken)
    largest.unlink()
    with pytest.raises(InputError, match=f"has no .*{largest.name}"):
        load(broken)


def test_the_manuals_snippet_needs_onnx_runtime_alone(folder, tmp_path):
    if folder.name != "onnx":
        pytest.skip("of ONNX")
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (snippet,) = {block for block in blocks if "onnxruntime" in block}
    shutil.copytree(folder, tmp_path / "exported")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "frame.jpg")
    hidden = "import sys; sys.modules['tcam_jax'] = sys.modules['jax'] = None\n"
    done = subprocess.run(
        [sys.executable, "-c", hidden + snippet], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] in ("a", "b", "c")


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [("onnx", "jax2onnx", "onnx"), ("saved_model", "tensorflow", "train")],
)
def test_without_the_extra(network, tmp_path, monkeypatch, name, package, extra):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"needs .*{package}.*tcam_jax\[{extra}\]"):
        save(tmp_path / "model", *network, ("a", "b", "c"), SIZE, None, format=name)
    assert not list(tmp_path.iterdir())


def test_what_does_not_convert(network, tmp_path, monkeypatch):
    jax2onnx = pytest.importorskip("jax2onnx", reason="pip install '.[onnx]' to test it")

    def refuses(*_, **__):
        raise NotImplementedError("of 'sort'")

    monkeypatch.setattr(jax2onnx, "to_onnx", refuses)
    with pytest.raises(InputError, match="does not convert it: of 'sort'.*--format=stablehlo"):
        save(tmp_path / "model", *network, ("a", "b", "c"), SIZE, None, format="onnx")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_one_error(network, tmp_path, monkeypatch):
    tf = pytest.importorskip("tensorflow")

    def save_none(*_, **__):
        raise tf.errors.ResourceExhaustedError(None, None, "at /x; No space left [Op:SaveV2]")

    convert = lambda *_, **__: lambda _, frames: (frames, frames)  # noqa: E731
    monkeypatch.setattr("jax.experimental.jax2tf.convert", convert)
    monkeypatch.setattr(tf.saved_model, "save", save_none)
    with pytest.raises(InputError, match=r"model cannot be written \(No space left\)"):
        save(tmp_path / "model", *network, ("a", "b", "c"), SIZE, None, format="saved_model")
    assert not list(tmp_path.iterdir())


def test_unknown_format(network, tmp_path):
    with pytest.raises(InputError, match="one of stablehlo, onnx, saved_model; got 'tflite'"):
        save(tmp_path / "model", *network, ("a", "b", "c"), SIZE, None, format="tflite")
