"""The house keeps its promises: rooms, one direction of imports, TensorFlow where it belongs."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = (
    "runtime",
    "data",
    "models",
    "cams",
    "pseudo_labels",
    "losses",
    "evaluate",
    "predict",
    "train",
    "config",
    "runs",
    "report",
    "commands",
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
def test_a_room_imports_only_rooms_to_its_left(path):
    room = path.relative_to(ROOT / "tcam_jax").parts[0]
    if room == "__init__.py":
        return  # the front door
    for name in _imports(path):
        parts = name.split(".")
        assert parts[0] not in ("launch", "configs", "tests"), f"{room} imports {name}"
        if parts[0] == "tcam_jax" and parts[1] in ROOMS:
            assert ROOMS.index(parts[1]) <= ROOMS.index(room), f"{room} imports {name}"
            assert (room, parts[1]) != ("config", "train"), name


def test_nothing_lies_loose_beside_the_rooms():
    entries = {path.name for path in (ROOT / "tcam_jax").iterdir()} - {"__pycache__"}
    assert entries == {"__init__.py", "py.typed", *ROOMS}


def test_tensorflow_is_imported_by_the_pipeline_alone():
    users = {
        str(path.relative_to(ROOT / "tcam_jax"))
        for path in MODULES
        if any(name.split(".")[0] == "tensorflow" for name in _imports(path))
    }
    exported = {"predict/programs/saved_model.py"}  # where that format is asked for
    assert users <= exported | {"data/windows.py", "data/batch_stream.py", "data/decode.py"} | {
        str(p.relative_to(ROOT / "tcam_jax")) for p in MODULES if "builders" in p.parts
    }


NEED_TENSORFLOW = ("windows.py", "batch_stream.py", "decode.py")


def test_everything_but_the_pipeline_imports_without_tensorflow():
    names = [
        str(path.relative_to(ROOT).with_suffix("")).replace("/", ".").removesuffix(".__init__")
        for path in MODULES
        if not {"builders", "commands"} & {*path.parts}  # commands define the same flags
        and path.name not in NEED_TENSORFLOW
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


def test_only_one_file_asks_the_system_for_its_cores():
    users = [
        str(path.relative_to(ROOT))
        for folder in ("tcam_jax", "launch", "configs")
        for path in (ROOT / folder).rglob("*.py")
        if "sched_getaffinity" in path.read_text()
    ]
    assert users == ["tcam_jax/runtime/cores.py"]  # macOS has none


def test_no_page_or_script_was_merged_by_halves():
    kinds, folders = (".md", ".py", ".sh", ".toml", ".yml"), ("docs", "launch", "tests", "tcam_jax")
    files = [*ROOT.iterdir(), *(x for folder in folders for x in (ROOT / folder).rglob("*"))]
    texts = {path: path.read_text() for path in files if path.suffix in kinds}
    assert len(texts) > 500
    assert not [x for x, text in texts.items() if re.search("^(<{7}|>{7}) ", text, re.MULTILINE)]


def test_one_module_of_each_medium_writes_what_users_name():
    only = {
        r"(?<![\w.])print\(": {"runtime/terminal.py"},
        r"csv\.(writer|DictWriter)": {"runtime/csv_rows.py"},
        r'" \| "\.join': {"runtime/markdown.py"},
        # "$x$" is no formula there, names in HTML are escaped.
        r"\.savefig\(": {"report/svg.py", "report/ablation_plots.py"},
        r"jinja2\.Environment\(": {"report/page.py"},
    }
    for path in MODULES:
        name, text = str(path.relative_to(ROOT / "tcam_jax")), path.read_text()
        code = re.sub(r'"""(?!").*?"""', "", text, flags=re.DOTALL)  # examples of use are text
        for pattern, modules in only.items():
            if not name.startswith("benchmark/"):
                assert bool(re.search(pattern, code)) == (name in modules), (name, pattern)


READ_JSON = {  # messages between processes, cells of a table, what was checked before
    "runtime/json_files.py",
    "runtime/processes.py",
    "runs/identity.py",
    "data/builders/registry.py",
    "data/builders/video_folder/boxes_coco.py",
    "data/builders/video_folder/boxes_csv.py",
    "predict/formats/records.py",
}


def test_files_of_json_are_read_by_their_declared_shapes():
    readers = {
        str(path.relative_to(ROOT / "tcam_jax"))
        for path in MODULES
        if "benchmark" not in path.parts and "json.load" in path.read_text()
    }
    assert readers <= READ_JSON


def test_no_file_of_arrays_may_hold_python_objects():
    for path in MODULES:
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and ast.unparse(call.func) in ("np.load", "numpy.load"):
                assert "allow_pickle=False" in ast.unparse(call), path
