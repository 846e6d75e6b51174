"""What README and manual say to type: commands that exist, with their flags; code that runs."""

import importlib.util
import re
import shlex
from functools import cache

import numpy as np
import pytest

import tcam_jax
from tcam_jax.commands.tcam import COMMANDS
from tcam_jax.config import defaults
from tcam_jax.config.rules import flatten, validate
from tcam_jax.predict.predictor import Predictor
from tests.commands.alone import load_alone
from tests.launch.conftest import ROOT

_PAGES = sorted(
    str(page.relative_to(ROOT))
    for folder in ("", "recipes")
    for page in (ROOT / "docs" / folder).glob("*.md")
)
PAGES = ["README.md", "CONTRIBUTING.md", *_PAGES]
COMMAND = r"(?:tcam|python -m) \S+(?: +-[^`\n]*)?"


def _fenced(page: str, language: str) -> list[str]:
    fence = rf"^```{language}[^\n]*\n(.*?)^```$"
    return re.findall(fence, (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


def _commands(page: str) -> list[list[str]]:
    """Every `tcam …` and `python -m …` of a page, in words."""
    text = (ROOT / page).read_text().replace("\\\n", " ")
    in_blocks = [line.split(" #")[0].split("&&")[-1].strip() for line in text.splitlines()]
    found = [line for line in in_blocks if re.match(COMMAND, line)]
    found += re.findall(rf"`({COMMAND})`", text)
    return [shlex.split(line) for line in found]


@pytest.fixture
def flags_of(monkeypatch):
    """Return a function: the flags of a command's module."""
    return cache(lambda module: load_alone(monkeypatch, module)[1])


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_their_flags_are_known(page, flags_of):
    fields = flatten(defaults.get_config()).keys()
    for words in _commands(page):
        first, name, *rest = words if words[0] == "tcam" else words[1:]
        if first == "-m" and not name.startswith(("launch.", "tests.", "tcam_jax.")):
            continue
        if first == "tcam":
            if not name[0].islower():
                continue  # `tcam NAME`
            assert name in COMMANDS, words
            module = f"tcam_jax/commands/{name}"
        else:
            module = name.replace(".", "/")
            if not module.isupper() and "NAME" not in module:
                assert (ROOT / f"{module}.py").is_file() or (ROOT / module).is_dir(), words
            if not (ROOT / f"{module}.py").is_file() or not module.startswith("launch/"):
                continue
            if (ROOT / f"tcam_jax/commands/{name.removeprefix('launch.')}.py").is_file():
                module = f"tcam_jax/commands/{name.removeprefix('launch.')}"
        for word in rest:
            flag, _, value = word.lstrip("-").partition("=")
            if not word.startswith("--") or flag in ("help", "config.any.field"):
                continue
            known = flags_of(module)
            if flag.startswith("config."):
                assert "config" in known, words
                field = flag.removeprefix("config.")
                free = re.match(r"\w+\.\w*options\.|tcam\.losses\.|.*\.args\.", field)
                assert free or field in fields, words
            elif flag == "config" and value.startswith("configs/"):
                assert (ROOT / value.partition(":")[0]).is_file(), words
            else:
                assert flag in known or flag.removeprefix("no") in known, words


def test_commands_are_found_at_all():
    assert ["tcam", "train", "--config=configs/demo.py", "--workdir=runs/demo"] in _commands(
        "README.md"
    )
    assert sum(len(_commands(page)) for page in PAGES) > 60


def test_the_readmes_program(monkeypatch, capsys):
    loaded = []

    def load(run):
        loaded.append(run)
        return Predictor(
            lambda frames: (np.eye(1, 2), np.full((1, 8, 8), 200, np.uint8)), ("a", "b"), 8, 0.5
        )

    monkeypatch.setattr(tcam_jax, "load", load, raising=False)
    monkeypatch.chdir(ROOT)
    (program,) = _fenced("README.md", "python")
    exec(program, {})
    assert loaded == ["runs/demo"]
    assert capsys.readouterr().out.startswith("a 0.7")


def test_the_manuals_first_experiment():
    program, _ = _fenced("docs/your_videos.md", "python")
    names: dict = {}
    exec(program, names)
    validate(names["get_config"]())


@pytest.mark.parametrize("page", PAGES)
def test_whoever_is_sent_to_tensorboard_is_told_to_install_it(page):
    text = re.sub(r"\s+", " ", (ROOT / page).read_text())
    assert "tensorboard --logdir" not in text or "pip install tensorboard" in text
    assert importlib.util.find_spec("tensorboardX")  # what writes it is there
