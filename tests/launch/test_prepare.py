"""`python -m launch.prepare` as a user meets it."""

import json
from pathlib import Path

import pytest

from tests.data.conftest import write_photo_folder

CONFIG = "--config=configs/video_folder.py:mine"
SKIPPED = "skipped, 4 times: the image is damaged, of a kind that cannot be read"


@pytest.fixture(scope="module")
def damaged(tmp_path_factory) -> Path:
    """A user's folder with one truncated frame in each video of a class."""
    root = write_photo_folder(tmp_path_factory.mktemp("damaged"), videos=4, shots=2, frames=3)
    for file in root.glob("pet/*/shot0/0.jpg"):
        file.write_bytes(file.read_bytes()[:300])
    return root


@pytest.mark.slow
def test_a_dataset_is_prepared_reported_and_found_again(damaged, tmp_path, launch):
    where = f"--data_dir={tmp_path}"
    first = launch("prepare", CONFIG, where, f"--manual_dir={damaged}").stdout
    assert SKIPPED in first and "pet/video0/shot0/0.jpg" in first
    folder = tmp_path / "video_folder/mine/1.0.0"
    report = json.loads((folder / "dataset_report.json").read_text())
    frames = sum(split["total"]["frames"] for split in report["splits"].values())
    assert frames == len(list(damaged.rglob("*.jpg"))) - 4
    again = launch("prepare", CONFIG, where).stdout
    assert SKIPPED in again and again.splitlines()[-1] == f"dataset: {folder}"


@pytest.mark.slow
def test_the_validator_says_what_is_wrong_and_where_and_makes_nothing(damaged, tmp_path, launch):
    flags = (CONFIG, f"--data_dir={tmp_path}", f"--manual_dir={damaged}", "--validate")
    assert SKIPPED in launch("prepare", *flags, status=1).stdout
    assert not list(tmp_path.rglob("*.array_record*"))


@pytest.mark.slow
def test_strict_stops_with_one_line(damaged, tmp_path, launch):
    flags = (CONFIG, f"--data_dir={tmp_path}", f"--manual_dir={damaged}", "--strict")
    stopped = launch("prepare", *flags, status=2)
    (error,) = [line for line in stopped.stderr.splitlines() if line.startswith("error:")]
    assert "strict" in error and "shot0/0.jpg" in error
    assert "Traceback" not in stopped.stderr
