"""`tcam`, the console command of an installed package."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.launch.conftest import ROOT


def _tcam(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess:
    program = "from tcam_jax.commands.tcam import main; main()"
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


def _names() -> set[str]:
    """Names of the modules of commands that define `run()`."""
    return {
        path.stem
        for path in (ROOT / "tcam_jax/commands").glob("*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name == "run" and not node.args.args
    }


def test_help_lists_every_command():
    assert "train" in _names() and "command_line" not in _names()
    for arguments in ((), ("--help",)):
        done = _tcam(*arguments)
        listed = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")}
        assert done.returncode == 0 and listed == _names()


def test_each_command_has_its_module_in_launch():
    stubs = {path.stem for path in (ROOT / "launch").glob("*.py")}
    assert _names() <= stubs


def test_an_unknown_name():
    done = _tcam("trian", "--config=x")
    assert done.returncode == 2 and "got 'trian'; did you mean train?" in done.stderr
    assert all(name in done.stderr for name in _names())


def test_a_commands_help_lists_its_flags():
    done = _tcam("train", "--help")
    assert done.returncode == 0, done.stderr
    assert "Train both stages" in done.stdout
    assert all(flag in done.stdout for flag in ("--config", "--workdir", "--[no]distributed"))


@pytest.mark.parametrize("name", sorted(_names()))
def test_a_commands_help_is_written_for_an_installed_user(name):
    text = (ROOT / f"tcam_jax/commands/{name}.py").read_text()
    assert f"tcam {name} --" in ast.get_docstring(ast.parse(text))
    assert f"launch.{name}" not in text


@pytest.mark.slow
def test_a_config_imports_those_beside_it(tmp_path):
    """As the command does: without the current folder in front of what can be imported."""
    program = "from tcam_jax.commands.tcam import main; main()"
    own = tmp_path / "own.py"
    own.write_text("from helper import NAME\nfrom configs.recipes.tcam import get_config\n")
    (tmp_path / "helper.py").write_text("NAME = 'beside'\n")
    recipe = ROOT / "configs/recipes/tcam.py"
    for cwd, config in ((ROOT, "configs/recipes/tcam.py"), (tmp_path, recipe), (tmp_path, own)):
        command = [sys.executable, "-P", "-c", program, "train", f"--config={config}:demo"]
        environment = {name: x for name, x in os.environ.items() if name != "PYTHONPATH"}
        if config == own:
            environment["PYTHONPATH"] = str(ROOT)  # where it finds configs
        done = subprocess.run(
            [*command, "--config.tcam.seeds.none=1"],
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 2 and "config.tcam.seeds.none" in done.stderr, done.stderr
