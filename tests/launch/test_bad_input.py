"""Bad input ends with status 2 and one clear line, no traceback.

Flags that cannot be read: tests/commands/test_command_line.py.
"""

import os

import pytest

from tests.launch.conftest import TINY

DEMO = "--config=configs/demo.py"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([DEMO, "--config.tcam.window.n=three"], "config.tcam.window.n=three"),
        ([DEMO, "--config.tcam.window.n=-1"], "config.tcam.window.n must be 0 or more; it is -1"),
        ([DEMO, "--config.tcam.cam_method=gradcm"], "must be one of cam, gradcam"),
        ([DEMO, "--config.dataset.crop=300"], "config.dataset.crop must be at most"),
        ([DEMO, "--config.dataset.name=moving_shape"], "did you mean 'moving_shapes'?"),
        (
            [DEMO, "--config.dataset.data_dir=nowhere"],
            "Prepare it there: `tcam prepare --config=configs/demo.py --data_dir=/",
        ),
        (["--config=configs/youtube_objects.py:v3"], "error: configs/youtube_objects.py takes one"),
        (["--config=configs/moving_photos.py:x"], "hard, train_boxes, got 'x'"),
    ],
)
def test_wrong_config(launch, tmp_path, arguments, expected):
    done = launch("train", *arguments, f"--workdir={tmp_path / 'run'}", status=2)
    assert done.stderr.splitlines()[0].startswith("error: ") or "error: " in done.stderr
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run" / "classifier").exists()


@pytest.mark.slow
def test_a_workdir_that_cannot_be_written(launch, tmp_path, shapes_data):
    occupied = tmp_path / "file"
    occupied.write_text("not a folder")
    arguments = [*TINY, f"--config.dataset.data_dir={shapes_data}"]
    done = launch("train", *arguments, f"--workdir={occupied}", status=2)
    assert "must be a folder that can be written" in done.stderr
    if os.geteuid() != 0:  # root may write anywhere
        locked = tmp_path / "locked"
        locked.mkdir(mode=0o555)
        done = launch("train", *arguments, f"--workdir={locked / 'run'}", status=2)
        assert "must be a folder that can be written" in done.stderr


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("evaluate", "must hold a run"),
        ("report", "must hold a run"),
        ("predict", "must be the folder of a run"),
    ],
)
def test_a_workdir_without_a_run(launch, tmp_path, name, expected):
    extra = [f"--input={tmp_path}", f"--output={tmp_path / 'out'}"] if name == "predict" else []
    (tmp_path / "image.png").write_bytes(b"no image")
    done = launch(name, f"--workdir={tmp_path}", *extra, status=2)
    assert expected in done.stderr and "Traceback" not in done.stderr


def test_output_must_not_be_the_input(launch, tmp_path):
    (tmp_path / "image.png").write_bytes(b"no image")
    arguments = [f"--workdir={tmp_path}", f"--input={tmp_path}", f"--output={tmp_path}"]
    done = launch("predict", *arguments, status=2)
    assert "must be another folder than that of the input" in done.stderr
