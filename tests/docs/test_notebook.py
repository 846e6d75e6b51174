"""docs/quickstart.ipynb: its cells as a reader would run them, without Jupyter."""

import ast
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import jax
import numpy as np
import pandas
import pytest
from PIL import Image

import tcam_jax
from configs import video_folder
from tests.data.made_videos import read, write
from tests.docs.fenced import load

PATH = Path(__file__).parents[2] / "docs/quickstart.ipynb"
CELLS = json.loads(PATH.read_text())["cells"]
CODE = [cell for cell in CELLS if cell["cell_type"] == "code"]
FRAMES = 14


class Notebook:
    """Runs cells in one namespace; what Jupyter would show is in `shown`."""

    def __init__(self):
        self.shown: list[object] = []
        self.names: dict[str, object] = {"display": self.shown.append}

    def run(self, cell) -> None:
        """Run a cell. What Jupyter alone understands (% and !) is a SyntaxError."""
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, PATH.name, "exec"), self.names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), PATH.name, "eval"), self.names)
            if value is not None:
                self.shown.append(value)


class Video:
    """In the place of IPython's."""

    def __init__(self, data: str, embed: bool, width: int):
        assert embed and width > 0
        self.content = Path(data).read_bytes()


def small_config(name: str):
    config = FULL_CONFIG(name)
    config.dataset.resize, config.dataset.crop = 36, 32
    config.model.encoder, config.model.pretrained = "small", ""
    config.model.encoder_options = {"width": 8}
    for section in (config.classifier, config.tcam, config.eval):
        section.batch_size = 8
    config.eval.map, config.eval.other_maps = "logit", ()
    config.eval.cam_methods = ("layercam",)
    config.tcam.align_seeds = False
    return config


DEVICES = jax.devices()
FULL_CONFIG = video_folder.get_config


@pytest.mark.slow
def test_from_a_folder_to_a_video_with_boxes(tmp_path, monkeypatch, capsys):
    times = [i / 25 for i in range(FRAMES)]
    for name, size in (("cat/tom.mp4", (80, 60)), ("dog/rex.mp4", (64, 48))):
        (tmp_path / "my_videos" / name).parent.mkdir(parents=True)
        write(tmp_path / "my_videos" / name, times, size)
    display = ModuleType("IPython.display")
    display.Video = Video
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.setattr(video_folder, "get_config", small_config)
    # The manual's own encoder: a ResNet-10 would be traced and compiled for twice as long.
    monkeypatch.setitem(
        tcam_jax.ENCODERS, "small", load("extending.md", "my_encoder.py", tmp_path).Small
    )
    monkeypatch.setattr(jax, "devices", lambda *_: DEVICES[:1])
    monkeypatch.chdir(tmp_path)
    notebook = Notebook()
    for cell in CODE:
        notebook.run(cell)
        if "parameters" in cell["metadata"].get("tags", ()):
            full = FULL_CONFIG()
            assert notebook.names["STEPS"] == (full.classifier.steps, full.tcam.steps)
            notebook.names["STEPS"] = 2, 2
    assert Path.cwd() == tmp_path
    printed = capsys.readouterr().out
    assert "train: 2 classes, 2 videos" in printed
    accuracies, first, record, *others, video, table = notebook.shown
    assert [name.partition("/")[0] for name in accuracies] == ["classifier", "tcam"]
    # Enlarged: of the first video, then with the map beside, and of a video of each class.
    pictures = [first, *others]
    assert [type(picture) for picture in pictures] == [Image.Image] * 4
    first, beside, *each = (picture.size for picture in pictures)
    assert record["class"] in ("cat", "dog") and record["frame"] == FRAMES - 1
    assert first == each[0] == (320, 240) and each[1] == (256, 192) and beside[0] > 2 * first[0]
    written = tmp_path / "runs/my_videos/boxes.mp4"
    assert video.content == written.read_bytes()
    frames, fault = read(written)
    assert not fault and len(frames) == FRAMES and frames[0].image.shape == (240, 320, 3)
    assert table["frame"].unique().tolist() == list(range(FRAMES))
    saved = pandas.read_csv(tmp_path / "runs/my_videos/boxes.csv")
    assert list(saved) == list(table)
    np.testing.assert_allclose(saved["probability"], table["probability"])

    monkeypatch.setitem(sys.modules, "pandas", None)
    notebook.run(CODE[-1])
    assert [record["frame"] for record in notebook.shown[-1]] == [0, 1, 2, 3, 4]


def test_it_is_short_and_says_what_each_cell_does():
    assert 8 <= len(CODE) <= 12
    for before, cell in zip(CELLS, CELLS[1:], strict=False):
        if cell["cell_type"] == "code":
            assert before["cell_type"] == "markdown" and len(cell["source"]) <= 12
    # What only Jupyter understands is for those who have to install first.
    first, *others = ("".join(cell["source"]) for cell in CODE)
    assert re.findall(r"^# ([!%]\w+)", first, re.MULTILINE) == ["!git", "%cd", "%pip"]
    assert not any(re.search(r"^\W*[!%]", source, re.MULTILINE) for source in others)


def test_stored_outputs_are_small_and_of_no_machine():
    assert PATH.stat().st_size < 300_000
    for cell in CODE:
        for output in cell["outputs"]:
            assert output["output_type"] != "error"
            assert "/tmp" not in json.dumps(output) and "/home" not in json.dumps(output)


def test_the_manual_shows_all_of_it():
    pytest.importorskip("mkdocs")
    from docs.notebook_page import as_markdown

    page = as_markdown(PATH)
    for cell in CELLS:
        assert "".join(cell["source"]) in page
        for output in cell.get("outputs", ()):
            for line in output.get("text", ()):
                assert line in page
    assert page.count("<img src=") == sum(
        any(kind.startswith("image/") for kind in output.get("data", ()))
        for cell in CODE
        for output in cell["outputs"]
    )
