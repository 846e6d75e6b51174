"""The layout keeps its promises: one direction of imports, and TensorFlow only where it belongs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STAGES = (
    "data",
    "models",
    "cams",
    "pseudo_labels",
    "losses",
    "evaluate",
    "train",
    "report",
    "benchmark",
)
MODULES = sorted((ROOT / "tcam_jax").rglob("*.py"))


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT / "tcam_jax")))
def test_a_stage_imports_only_stages_to_its_left(path):
    stage = path.relative_to(ROOT / "tcam_jax").parts[0]
    if stage not in STAGES:
        return  # modules beside the stages compose them
    for name in _imports(path):
        parts = name.split(".")
        if parts[0] == "tcam_jax" and parts[1] in STAGES:
            assert STAGES.index(parts[1]) <= STAGES.index(stage), f"{stage} imports {name}"
        assert parts[0] not in ("launch", "configs"), f"{stage} imports {name}"


def test_tensorflow_is_imported_by_the_pipeline_alone():
    users = {
        str(path.relative_to(ROOT / "tcam_jax"))
        for path in MODULES
        if any(name.split(".")[0] == "tensorflow" for name in _imports(path))
    }
    assert users <= {"data/windows.py", "data/decode.py"} | {
        str(p.relative_to(ROOT / "tcam_jax")) for p in MODULES if "builders" in p.parts
    }


NEED_TENSORFLOW = ("windows.py", "decode.py")


def test_everything_but_the_pipeline_imports_without_tensorflow():
    names = [
        str(path.relative_to(ROOT).with_suffix("")).replace("/", ".").removesuffix(".__init__")
        for path in MODULES
        if "builders" not in path.parts and path.name not in NEED_TENSORFLOW
    ]
    program = (
        "import sys; sys.modules['tensorflow'] = None; sys.modules['tensorflow_datasets'] = None\n"
        f"import importlib\nfor name in {names!r}: importlib.import_module(name)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_modules_stay_small():
    long = {p.name: n for p in MODULES if (n := len(p.read_text().splitlines())) > 250}
    assert not long
