"""Files to a folder of results: stopped anywhere and gone on with, it ends the same."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tcam_jax.data.video import read_video
from tcam_jax.predict.given_files import find_given
from tcam_jax.predict.inputs import read_files
from tcam_jax.predict.many_files import Masks, Overlays, in_brief, write_results
from tcam_jax.predict.result_folder import ResultFolder
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.stopwatch import Stopwatch
from tests.data.test_video import write
from tests.predict.test_predictor import frame, predictor


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    Image.fromarray(frame((0, 8, 0, 8), size=(40, 60))).save(tmp_path / "in" / "a.png")
    for name, count in (("b.avi", 9), ("d.avi", 5)):
        write(tmp_path / "in" / name, np.arange(count) / 25, size=(64, 48), codec="ffv1")
    (tmp_path / "in" / "c.jpg").write_bytes(b"no image")
    return tmp_path / "in"


def run(folder, output, stop_after=None):
    """Predict what is not finished; return the faults."""
    given, faults, told = find_given([str(folder)], output), {}, []

    def tell():
        told.append(1)
        if len(told) == stop_after:
            raise KeyboardInterrupt

    with ResultFolder(output, {}) as results:
        left = [file for file in given.files if not results.is_finished(file)]
        drawn = [
            Overlays(output, given.overlays()),
            Masks(output, "largest", given.masks()),
        ]
        frames = read_files(left, 1, faults.__setitem__)
        predictions = predictor()[0].stream(frames)
        write_results(predictions, faults, results, drawn, Stopwatch(), tell)
    return faults


def content(output):
    """All files with their content; of videos, which are not the same bytes, the frames' times."""
    files = sorted(path for path in output.rglob("*") if path.is_file() and path.name[0] != ".")
    return {
        path.relative_to(output).as_posix(): [f.seconds for f in read_video(path)]
        if path.suffix == ".mp4"
        else path.read_bytes()
        for path in files
    }


def test_results_of_all_files_and_the_fault_of_one(folder, tmp_path):
    faults = run(folder, tmp_path / "out")
    assert [path.name for path in faults] == ["c.jpg"]
    lines = [json.loads(x) for x in (tmp_path / "out/predictions.jsonl").read_text().splitlines()]
    frames = [(Path(line["file"]).name, line["frame"]) for line in lines]
    assert frames == [
        ("a.png", 0),
        *(("b.avi", i) for i in range(9)),
        *(("d.avi", i) for i in range(5)),
    ]
    assert (lines[0]["width"], lines[0]["height"]) == (60, 40)
    finished = [json.loads(x) for x in (tmp_path / "out/finished.jsonl").read_text().splitlines()]
    assert [(Path(x["file"]).name, x["frames"]) for x in finished] == [
        ("a.png", 1),
        ("b.avi", 9),
        ("d.avi", 5),
    ]
    made = content(tmp_path / "out")
    assert len(made["overlays/b.mp4"]) == 9
    assert {name for name in made if name.startswith("masks/b/")} == {
        f"masks/b/{i:06d}.png" for i in range(9)
    }
    assert Image.open(tmp_path / "out/masks/a.png").size == (60, 40)
    assert Image.open(tmp_path / "out/overlays/a.jpg").size[0] % 60 == 0


@pytest.mark.parametrize("stop_after", [1, 2, 6, 10, 11, 14])
def test_stopped_anywhere_it_goes_on_to_the_same_end(folder, tmp_path, stop_after):
    run(folder, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(folder, tmp_path / "parts", stop_after)
    overlays = {path.name for path in (tmp_path / "parts").rglob("*.mp4")}
    assert overlays == {"b.mp4"} if stop_after > 10 else overlays == set()
    assert not list((tmp_path / "parts").rglob(".*.tmp*"))
    run(folder, tmp_path / "parts")
    assert content(tmp_path / "parts") == content(tmp_path / "whole")


def test_what_was_drawn_and_is_lost_is_drawn_again(folder, tmp_path):
    out = tmp_path / "out"
    run(folder, out)
    whole = content(out)
    for lost in ("overlays/b.mp4", "masks/a.png", "masks/d"):
        (out / lost).rename(tmp_path / "lost")
        if (tmp_path / "lost").is_file():
            (tmp_path / "lost").unlink()
    run(folder, out)
    again = content(out)
    for both in (whole, again):  # files that are done again come last
        both["predictions.jsonl"] = sorted(both["predictions.jsonl"].splitlines())
        both["finished.jsonl"] = sorted(both["finished.jsonl"].splitlines())
    assert again == whole


def test_one_file_by_two_spellings_is_predicted_once(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(folder, tmp_path / "out")
    whole = content(tmp_path / "out")
    run(Path("in"), tmp_path / "out")
    run(Path("in/../in"), tmp_path / "out")
    assert content(tmp_path / "out") == whole


def test_what_was_done_in_brief():
    assert (
        in_brief(12, 3, 1, 2) == "12 frames of 3 files, 1 with faults; 2 files were finished before"
    )
    assert in_brief(1, 1, 0, 0) == "1 frame of 1 file, 0 with faults"
    assert in_brief(0, 0, 0, 1) == "nothing left to do: 1 file was finished before"
    assert in_brief(0, 0, 0, 0) == "nothing to do: this shard has no file"


def test_what_cannot_be_written_is_one_error(folder, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "overlays").touch()
    with pytest.raises(InputError, match="out cannot be written"):
        run(folder, tmp_path / "out")
