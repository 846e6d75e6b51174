"""What `import tcam_jax` offers: small, lazy, documented, and open to a user's own parts."""

import ast
import inspect
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tcam_jax
from tcam_jax.config.rules import validate
from tcam_jax.data.protocol import check_data
from tcam_jax.predict import exported
from tests.conftest import QUICK_COMPILATION
from tests.predict.test_predictor import frame, predictor

ROOT = Path(__file__).parents[1]


def test_names_are_complete_and_seen_by_type_checkers():
    found = {name for names in tcam_jax._MODULES.values() for name in names}
    assert found == set(tcam_jax.__all__) <= set(dir(tcam_jax))
    for name in tcam_jax.__all__:
        assert getattr(tcam_jax, name) is not None
    (block,) = (node for node in _tree().body if isinstance(node, ast.If))
    assert block.test.id == "TYPE_CHECKING"
    seen = {
        (node.module.removeprefix("tcam_jax."), alias.name)
        for node in block.body
        for alias in node.names
    }
    assert seen == {(module, n) for module, names in tcam_jax._MODULES.items() for n in names}
    with pytest.raises(AttributeError, match="no attribute 'laod'"):
        tcam_jax.laod  # noqa: B018


def _tree() -> ast.Module:
    return ast.parse((ROOT / "tcam_jax/__init__.py").read_text())


def test_importing_imports_nothing_heavy():
    program = (
        "import sys, tcam_jax; dir(tcam_jax); tcam_jax.InputError; tcam_jax.Interruption\n"
        "assert not {'jax', 'numpy', 'flax', 'tensorflow'} & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "name", ["load", "train_and_evaluate", "evaluate_run", "class_activation_maps"]
)
def test_functions_say_what_they_take_give_and_raise(name):
    function = getattr(tcam_jax, name)
    text = inspect.getdoc(function)
    assert all(f"\n{part}:\n" in text for part in ("Args", "Returns", "Raises"))
    for argument in inspect.signature(function).parameters:
        assert argument in text.split("Args:")[1]


def test_a_folder_without_a_run_is_named_in_words_of_python(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for folder in ("~/nope", str(tmp_path / "nope"), tmp_path / "nope"):
        with pytest.raises(tcam_jax.InputError, match=f"^{tmp_path}/nope must hold") as caught:
            tcam_jax.evaluate_run(folder)
        assert "tcam_jax.train_and_evaluate(config" in str(caught.value)
        with pytest.raises(tcam_jax.InputError, match="nope' must be the folder of a run"):
            tcam_jax.load(folder)
        with pytest.raises(tcam_jax.InputError, match=f"^{tmp_path}/nope must be a folder of"):
            exported.load(folder)


def test_an_unknown_split_is_refused(tmp_path):
    with pytest.raises(tcam_jax.InputError, match="'validation' or 'test'; got 'tset'"):
        tcam_jax.evaluate_run(tmp_path, "tset")


def test_data_that_lack_something_are_refused():
    class Half:
        class_names = ("a", "b")

        def truth(self, split):
            return None

    with pytest.raises(TypeError, match="Half lacks steps_per_epoch, training_batches, frames_of"):
        check_data(Half())  # the first thing that is done with them


OWN = '''
"""An experiment of a user's own, in a file of its own: data, loss, head, CAM method."""
import sys
from pathlib import Path

sys.modules.update(dict.fromkeys(("tensorflow", "tensorflow_datasets", "array_record")))

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

import tcam_jax
from tcam_jax.config.defaults import get_config as defaults
from tcam_jax.models.heads import HeadOutput
from tests.docs.fenced import load

load("extending.md", "my_encoder.py", Path())  # quicker to compile than a ResNet


def mean_foreground(inputs, target=0.5):
    foreground = inputs.map_logits[..., 1] - inputs.map_logits[..., 0]
    return jnp.square(foreground - target).sum(), foreground.size


class Scaled(nn.Module):
    num_classes: int
    factor: float = 1.0
    name_of_it: str = "x"

    @nn.compact
    def __call__(self, features):
        maps = self.factor * nn.Dense(self.num_classes)(features)
        return HeadOutput(maps.mean((1, 2)), maps)

    def linear_kernel(self):
        return None


tcam_jax.LOSSES["mean_foreground"] = mean_foreground
tcam_jax.HEADS["scaled"] = Scaled
tcam_jax.CAM_METHODS["brightest"] = lambda features, head, class_index: features.max(-1)


def get_config():
    config = defaults()
    config.dataset.name = "squares of my own"
    config.dataset.resize, config.dataset.crop = 36, 32
    config.model.encoder = "small"
    config.model.head = "scaled"
    config.model.head_options = {"factor": 2.0, "name_of_it": "mine"}
    config.tcam.cam_method = "brightest"
    config.eval.cam_methods = ("brightest",)
    config.tcam.losses = {"partial_ce": {"weight": 1.0}, "mean_foreground": {"weight": 0.1}}
    for section in (config.classifier, config.tcam):
        section.batch_size, section.epochs = 4, 1
    config.eval.batch_size = 4
    return config


class Squares:
    """A red or a green square on grey, somewhere; frame 5 of 6 in a split, for instance."""

    class_names = ["red", "green"]

    def steps_per_epoch(self, batch_size):
        return 2

    def _frame(self, number, size):
        frame = np.full((size, size, 3), 90, np.uint8)
        corner = 2 + 3 * (number % 4)
        frame[corner : corner + 14, corner : corner + 14, number % 2] = 250
        return frame

    def training_batches(self, *, batch_size, n, first_step, num_steps, rows, **_):
        for step in range(first_step, num_steps):
            numbers = step * batch_size + np.asarray(rows)
            windows = [[self._frame(i + j, 36) for j in range(-2 * n, 1, 2)] for i in numbers]
            yield {
                "frames": np.array(windows),
                "valid": np.ones((len(rows), n + 1), bool),
                "label": (numbers % 2).astype(np.int32),
                "slot": np.asarray(rows, np.int32),
            }

    def frames_of_batch(self, number, batch_size):
        return [f"squares/{number}/{i}" for i in range(batch_size)]

    def truth(self, split):
        numbers = np.arange(6)
        corners = (2 + 3 * (numbers % 4)).astype(np.float32)
        return tcam_jax.Truth(
            records=numbers,
            ids=[f"{self.class_names[i % 2]}/video{i}/shot/{i}.png" for i in numbers],
            labels=(numbers % 2).astype(np.int32),
            sizes=np.full((6, 2), 32, np.int32),
            boxes=[np.array([[c, c, c + 13, c + 13]], np.float32) for c in corners],
        )

    def frames(self, split, batch_size, rows):
        for start in range(0, 6, batch_size):
            records = np.arange(start, start + batch_size)
            frames = np.array([self._frame(i, 32) for i in records])
            yield {"frames": frames[rows], "record": np.where(records < 6, records, -1)[rows]}
'''
USE = """
import tcam_jax
from own import Squares, get_config

if __name__ == "__main__":
    results = tcam_jax.train_and_evaluate(get_config(), "run", data=Squares())
    assert results["dataset"] == "squares of my own" and results["classes"] == ["red", "green"]
    assert {"brightest", "tcam"} <= {row["method"] for row in results["rows"]}
    assert all(row["corloc"] is not None for row in results["rows"])
    # Finished: read, not run again; and scored again, with the same outcome.
    again = tcam_jax.train_and_evaluate(get_config(), "run", data=Squares())
    assert again["rows"] == results["rows"]
    assert tcam_jax.evaluate_run("run", data=Squares())["rows"] == results["rows"]
    (prediction,) = tcam_jax.load("run", batch_size=1).predict(Squares()._frame(0, 48))
    assert prediction.class_name in ("red", "green") and prediction.map.shape == (32, 32)
"""


@pytest.mark.slow
def test_own_data_loss_head_and_cam_in_files_of_their_own(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "use.py").write_text(USE)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XLA_FLAGS": QUICK_COMPILATION}

    def run(*command):
        command = [sys.executable, *command]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )

    done = run("use.py")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    # As a command's config it passes the checks; its data no command knows.
    done = run("-m", "launch.train", "--config=own.py", "--workdir=other")
    assert done.returncode == 2 and "pip install 'tcam_jax[train]'" in done.stderr, done.stderr


def test_own_names_pass_the_check_of_a_config_only_while_registered(config, monkeypatch):
    def own(inputs, sharp=True, target: float = 0.0):
        return inputs.map_logits.sum(), 1

    with config.unlocked():
        config.tcam.losses.own = {"weight": 1.0, "target": -1.0}
    config.model.head, config.tcam.cam_method = "own_head", "own_cam"
    config.eval.cam_methods = ("own_cam",)
    registries = (
        (tcam_jax.HEADS, "own_head", tcam_jax.HEADS["gap"]),
        (tcam_jax.CAM_METHODS, "own_cam", tcam_jax.CAM_METHODS["cam"]),
        (tcam_jax.LOSSES, "own", own),
    )
    for registry, name, entry in registries:
        with pytest.raises(tcam_jax.InputError, match=rf"one of .*{name}|it is '{name}'"):
            validate(config)
        monkeypatch.setitem(registry, name, entry)
    with pytest.raises(tcam_jax.InputError, match="target"):  # of ours, must be above 0
        validate(config)


def test_frames_of_pil_and_one_frame_alone():
    array = frame((0, 8, 0, 8))
    (expected,) = predictor()[0].predict([array])
    for given in ([Image.fromarray(array)], Image.fromarray(array), array, array[None]):
        (found,) = predictor()[0].predict(given)
        assert found.box == expected.box and found.class_name == expected.class_name
        np.testing.assert_array_equal(found.map, expected.map)
    transparent = Image.fromarray(array).convert("RGBA")
    assert predictor()[0].predict([transparent])[0].box == expected.box
    with pytest.raises(tcam_jax.InputError, match="give a PIL image"):
        predictor()[0].predict(array / 255)
