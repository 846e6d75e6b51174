"""A saved network: the same numbers without our code, and clear words for damaged folders."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from tcam_jax.evaluate.maps import PREDICTED, TCAM_METHOD, make_forward
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
