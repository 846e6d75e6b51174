"""What an installed user gets: requirements, the wheel's content."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_requirements_are_those_of_the_package_and_of_training():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    listed = [line for line in lines if not line.startswith("#")]
    wanted = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["train"]
    assert sorted(map(str, map(Requirement, listed))) == sorted(map(str, map(Requirement, wanted)))


def test_every_dependency_has_one_lowest_version():
    """Wherever it is named; launch/lowest_versions.sh installs these."""
    lowest = {}
    for lines in [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]:
        for wanted in map(Requirement, lines):
            bounds = [bound for bound in wanted.specifier if bound.operator in (">=", "==")]
            assert len(bounds) == 1, wanted
            version = Version(bounds[0].version)
            assert lowest.setdefault(wanted.name, version) == version, wanted


def test_prediction_needs_no_tensorflow():
    names = {Requirement(line).name for line in PROJECT["dependencies"]}
    assert not {name for name in names if "tensorflow" in name or name in ("array_record", "torch")}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # building writes beside the sources
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, tracked.stdout.split("\0")):
        if (ROOT / name).is_file():  # one that was deleted and not yet committed is not
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).symlink_to(ROOT / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder]
    done = subprocess.run([*command, source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(next(folder.glob("*.whl")))


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    names = wheel.namelist()
    info = f"tcam_jax-{PROJECT['version']}.dist-info"
    assert {name.split("/")[0] for name in names} == {"tcam_jax", info}
    assert not [name for name in names if "benchmark" in name or "tests" in name]
    code = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "tcam_jax").rglob("*.py")
        if "benchmark" not in path.parts
    }
    published = {
        str(path.relative_to(ROOT)) for path in (ROOT / "tcam_jax/report/published").glob("*.csv")
    }
    files = {"py.typed", "report/page.html.j2", "report/threshold.js"}
    wanted = code | published | {f"tcam_jax/{name}" for name in files}
    assert published and wanted == {name for name in names if name.startswith("tcam_jax/")}
    entry_points = wheel.read(f"{info}/entry_points.txt").decode()
    assert "tcam = tcam_jax.commands.tcam:main" in entry_points
    assert f"{info}/licenses/LICENSE" in names


def test_the_wheel_works_from_another_folder(wheel, tmp_path):
    wheel.extractall(tmp_path / "installed")
    program = (
        "import sys; sys.path.insert(0, 'installed')\n"
        "import tcam_jax; assert 'installed' in tcam_jax.__file__\n"
        "import tcam_jax.report.page, tcam_jax.report.results_tables\n"
        "from tcam_jax.config.defaults import get_config; get_config()\n"
        "from tcam_jax.commands.tcam import main; sys.argv = ['tcam', '--help']; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0 and "prepare" in done.stdout, done.stderr
