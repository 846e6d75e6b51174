"""A saved network: the same numbers without our code, and clear words for damaged folders."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
import safetensors.numpy
from PIL import Image

from tcam_jax.evaluate.maps import PREDICTED, TCAM_METHOD, TCAM_MOTION, make_forward
from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.tcam import TCAM, init_variables
from tcam_jax.predict.exported import load, save
from tcam_jax.runtime.errors import InputError

SIZE = 32
DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def network():
    model = TCAM(num_classes=3, backbone=ENCODERS["resnet10"])
    return model, init_variables(model, jax.random.key(0), size=SIZE)


@pytest.fixture(scope="module")
def folder(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "model"
    save(path, *network, ("a", "b", "c"), SIZE, 0.4, TCAM_METHOD, "b")
    return path


@pytest.mark.parametrize("count", [1, 3])
def test_the_same_numbers_for_any_batch(network, folder, count):
    model, variables = network
    frames = np.random.default_rng(count).integers(0, 256, (count, SIZE, SIZE, 3), np.uint8)
    expected = make_forward(model, (TCAM_METHOD,))(
        variables, frames, np.full(count, PREDICTED, np.int32)
    )
    exported = load(folder)
    assert exported[1:] == (("a", "b", "c"), SIZE, 0.4, True, "b")
    logits, maps = exported.forward(frames)
    assert (logits.dtype, maps.dtype, maps.shape) == ("float32", "uint8", (count, SIZE, SIZE))
    np.testing.assert_allclose(logits, expected.logits, rtol=1e-5, atol=1e-5)
    # The last bits may round a map across a level.
    assert np.abs(np.asarray(maps, int) - np.asarray(expected.maps[0], int)).max() <= 1


def test_a_map_of_neighbours_is_refused(network, tmp_path):
    with pytest.raises(
        InputError, match="looks at the frames beside it.*Choose another with --map"
    ):
        save(tmp_path / "model", *network, ("a", "b", "c"), SIZE, 0.4, TCAM_MOTION)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["model.stablehlo", "weights.safetensors", "model.json"])
def test_damaged_missing_and_existing(folder, tmp_path, name):
    broken = tmp_path / "model"
    shutil.copytree(folder, broken)
    content = (broken / name).read_bytes()
    (broken / name).write_bytes(content[:-100])
    with pytest.raises(InputError, match="is damaged"):
        load(broken)
    (broken / name).unlink()
    with pytest.raises(InputError, match=f"has no {name}"):
        load(broken)


def test_another_schema_another_platform_and_a_folder_in_use(network, folder, tmp_path):
    other = tmp_path / "model"
    shutil.copytree(folder, other)
    about = json.loads((other / "model.json").read_text())
    (other / "model.json").write_text(json.dumps(about | {"platforms": ["tpu"]}))
    with pytest.raises(InputError, match="not for this cpu"):
        load(other)
    (other / "model.json").write_text(json.dumps(about | {"schema": 9}))
    with pytest.raises(InputError, match="schema 9"):
        load(other)
    (other / "model.json").write_text(json.dumps({"schema": 2, "classes": ["a"]}))
    with pytest.raises(InputError, match="lacks size, tau, of_logits, sha256"):
        load(other)
    with pytest.raises(InputError, match="new folder"):
        save(other, *network, ("a", "b", "c"), SIZE, None, TCAM_METHOD)


def test_the_manuals_snippet_needs_none_of_our_code(folder, tmp_path):
    pages = "\n".join(page.read_text() for page in DOCS.glob("*.md"))
    blocks = re.findall(r"```python\n(.*?)```", pages, re.DOTALL)
    (snippet,) = {block for block in blocks if "model.stablehlo" in block}
    shutil.copytree(folder, tmp_path / "exported")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "frame.jpg")
    hidden = "import sys; sys.modules['tcam_jax'] = sys.modules['flax'] = None\n"
    done = subprocess.run(
        [sys.executable, "-c", hidden + snippet], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] in ("a", "b", "c")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"size": 10**9}, "size must be a whole number from 1 to 8192; it is 1000000000"),
        ({"size": "80"}, "size must be a whole number; it is '80'"),
        ({"size": -1}, "from 1 to 8192; it is -1"),
        ({"size": True}, "size must be a whole number; it is True"),
        ({"size": 2 * SIZE}, "but model.json has size 64 and 3 classes"),
        ({"classes": "abc"}, "classes must be a list; it is 'abc'"),
        ({"classes": []}, "classes is empty"),
        ({"classes": ["a", "b"]}, r"gives logits \[3\] and .* has size 32 and 2 classes"),
        ({"classes": ["a", "b", "b"]}, "cannot be told from 'b'"),
        ({"classes": ["a\n", "b", "c"]}, "has a line break"),
        ({"tau": 1.5}, "tau must be a number from 0 to 1 or null; it is 1.5"),
        ({"tau": float("nan")}, "tau must be a number"),
        ({"of_logits": 1}, "of_logits must be true or false; it is 1"),
        ({"background": "z"}, "background is none of classes"),
        ({"platforms": "cpu"}, "platforms must be a list"),
        ({"schema": "2"}, "has schema '2', this version reads 2"),
        ({"format": ["onnx"]}, "format must be text"),
        ({"sha256": {}}, "sha256 lacks model.stablehlo, weights.safetensors"),
        ({"sha256": {"../model.json": "0"}}, "'../model.json', which is no file of the folder"),
        ({"sha256": {"/etc/passwd": "0"}}, "which is no file of the folder"),
        ({"sha256": ["model.stablehlo"]}, "sha256 must be an object"),
    ],
)
def test_a_model_file_that_was_changed_is_one_error(folder, tmp_path, changed, told):
    other = tmp_path / "model"
    shutil.copytree(folder, other)
    about = json.loads((other / "model.json").read_text())
    (other / "model.json").write_text(json.dumps(about | changed))
    with pytest.raises(InputError, match=rf"model.*{told}"):
        load(other)


@pytest.mark.parametrize("name", ["model.stablehlo", "weights.safetensors"])
@pytest.mark.parametrize("content", [b"", b"\0" * 999, b"PK\x03\x04" + b"x" * 99])
def test_a_program_or_weights_of_another_kind_with_their_digest(folder, tmp_path, name, content):
    other = tmp_path / "model"
    shutil.copytree(folder, other)
    about = json.loads((other / "model.json").read_text())
    (other / name).write_bytes(content)
    about["sha256"][name] = hashlib.sha256(content).hexdigest()
    (other / "model.json").write_text(json.dumps(about))
    with pytest.raises(InputError, match="must hold a program of format stablehlo.*Export again"):
        load(other)


def test_other_weights_than_the_program_takes(folder, tmp_path):
    other = tmp_path / "model"
    shutil.copytree(folder, other)
    weights = safetensors.numpy.load_file(other / "weights.safetensors")
    name = next(iter(weights))
    for changed in ({name: weights[name][..., :-1].copy()}, {"more": np.zeros(3, np.float32)}):
        safetensors.numpy.save_file(weights | changed, other / "weights.safetensors")
        about = json.loads((other / "model.json").read_text())
        content = (other / "weights.safetensors").read_bytes()
        about["sha256"]["weights.safetensors"] = hashlib.sha256(content).hexdigest()
        (other / "model.json").write_text(json.dumps(about))
        with pytest.raises(InputError, match="weights.safetensors has other arrays than"):
            load(other)
