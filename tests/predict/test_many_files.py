"""Files to a folder of results: stopped anywhere and gone on with, it ends the same."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tcam_jax.data.video import read_video
from tcam_jax.predict.formats.records import Records
from tcam_jax.predict.formats.registry import convert
from tcam_jax.predict.given_files import find_given
from tcam_jax.predict.inputs import read_files
from tcam_jax.predict.many_files import Masks, Overlays, in_brief, write_results
from tcam_jax.predict.result_folder import ResultFolder
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.stopwatch import Stopwatch
from tests.data.test_video import write
from tests.predict.test_predictor import frame, predictor
from tests.small_disk import small_disk


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
            Overlays(output, given.overlays(), results.made()),
            Masks(output, "largest", given.masks(), results.made()),
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


def test_files_of_another_folder_leave_what_the_first_ones_have(folder, tmp_path):
    out, other = tmp_path / "out", tmp_path / "other"
    run(folder, out)
    first = content(out)
    other.mkdir()
    (folder / "d.avi").rename(other / "b.avi")
    Image.fromarray(frame((8, 16, 0, 8), size=(40, 60))).save(other / "A.png")
    (folder / "a.png").rename(other / "a.2.png")
    shutil.copy(folder / "b.avi", folder / "a.mp4")  # in the first one, found later
    run(other, out)
    run(folder, out)
    both = content(out)
    assert {name: both[name] for name in first if "/" in name} == {
        name: first[name] for name in first if "/" in name
    }
    made = [x for line in both["finished.jsonl"].splitlines() for x in json.loads(line)["made"]]
    assert len(made) == len(set(made)) == 2 * (3 + 3 + 1)
    assert {"overlays/b.2.mp4", "masks/b.2", "overlays/A.3.jpg", "masks/a.2.png"} < set(made)
    lines = [out / "predictions.jsonl"]
    assert Records(lines, other, widen=True).root == tmp_path
    with pytest.raises(InputError, match="is not below"):
        Records(lines, other)


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


LONG = {  # 255 bytes each
    "a" * 251 + ".png": (1, ".png"),
    "é" * 125 + "b.png": (1, ".png"),
    "猫" * 83 + "xy.png": (1, ".png"),
    "v" * 251 + ".avi": (3, ""),
    "w" * 247 + ".~é.avi": (3, ""),
}


@pytest.mark.parametrize("name", LONG, ids=range(len(LONG)))
def test_the_longest_names_are_cut_in_results_alone(folder, tmp_path, name):
    assert len(name.encode()) == 255
    frames, kind = LONG[name]
    if kind:
        (folder / "a.png").rename(folder / name)
    else:
        write(folder / name, np.arange(3) / 25, size=(64, 48), codec="ffv1")
    (folder / ("d" * 255)).mkdir()
    (folder / "d.avi").rename(folder / ("d" * 255) / "1.avi")
    out = tmp_path / "out"
    assert [path.name for path in run(folder, out)] == ["c.jpg"]
    assert run(folder, out).keys() == {folder / "c.jpg"}  # tried again
    records = Records([out / "predictions.jsonl"], folder)
    assert sum(Path(record["file"]).name == name for record in records) == frames
    made = [x for x in (out / "masks").iterdir() if x.name[:3] == name[:3]]
    assert [path.suffix for path in made] == [kind] and "~" in made[0].name
    convert(records, out, ["mot", "yolo", "coco", "csv"])
    assert len(list((out / "yolo").rglob(f"{name[:3]}*.txt"))) == frames


def test_what_one_files_name_or_size_forbids_is_left_out_and_the_rest_goes_on(folder, tmp_path):
    (folder / "b").mkdir()
    (folder / "b.avi").rename(folder / "b" / ("b" * 200 + ".avi"))
    out = tmp_path
    while len(str(out)) < 4096 - 255 - 200:  # a path has 4,095 bytes at the most
        out /= "o" * 200
    out /= "o" * (4096 - 216 - len(str(out)))
    out.mkdir(parents=True)
    faults = run(folder, out)
    (fault,) = [reason for path, reason in faults.items() if path.name[0] == "b"]
    assert fault.count("cannot be written (File name too long)") == 2
    assert [path.name for path in (out / "masks").iterdir()]
    lines = [json.loads(x) for x in (out / "predictions.jsonl").read_text().splitlines()]
    assert len(lines) == 1 + 9 + 5
    assert run(folder, out).keys() == {folder / "c.jpg"}


def test_an_overlay_too_large_for_the_disk_is_left_out(folder, tmp_path):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (400, 400, 3), np.uint8)
    Image.fromarray(noise).save(folder / "a.png")
    with small_disk(20_000):
        faults = run(folder, tmp_path / "out")
    assert faults[folder / "a.png"] == "overlays/a.jpg cannot be written (File too large)"
    assert {"masks/a.png", "overlays/b.mp4"} < content(tmp_path / "out").keys()
    assert "overlays/a.jpg" not in content(tmp_path / "out")
    assert not list((tmp_path / "out").rglob(".*.tmp*"))
