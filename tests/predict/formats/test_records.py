"""Lines of shards put together, checked; names of results that cannot meet."""

import json
import re
from pathlib import Path

import pytest

from tcam_jax.predict.formats.names import output_names, relative_names
from tcam_jax.predict.formats.records import Records, find_lines, unfinished
from tcam_jax.predict.result_folder import ResultFolder
from tcam_jax.runtime.errors import InputError
from tests.predict.formats.lines import BOXES, IMAGES, VIDEO, record, write_lines

LINES = "predictions.jsonl"


def test_shards_become_one_in_an_order_of_their_own(tmp_path):
    parts = [[VIDEO[2], IMAGES[0]], [IMAGES[1]], [VIDEO[0], VIDEO[1]]]
    for number, part in enumerate(parts):
        write_lines(tmp_path / f"out/shard_{number:04d}_of_0003" / LINES, *part)
    records = Records(find_lines([tmp_path / "out", tmp_path / f"out/shard_0001_of_0003/{LINES}"]))
    assert list(records) == list(records) == [*VIDEO, *IMAGES[::-1]] and len(records) == 5
    assert len(records.paths) == 3 and records.classes == tuple(VIDEO[0]["probabilities"])


def test_one_frame_twice(tmp_path):
    first = write_lines(tmp_path / "a" / LINES, *VIDEO)
    second = write_lines(tmp_path / "b" / LINES, *IMAGES, VIDEO[1])
    expected = f"{second}:3: frame 5 of in/b c.mp4 is in {first}:2 too"
    with pytest.raises(InputError, match=re.escape(expected)):
        Records(find_lines([tmp_path]))


def test_one_frame_twice_by_two_spellings(tmp_path):
    lines = [
        VIDEO[0],
        *(VIDEO[1] | {"file": file} for file in ("x/../in/b c.mp4", VIDEO[1]["file"])),
    ]
    records = Records([write_lines(tmp_path / LINES, *lines[:2])])
    assert list(records) == lines[:2] and set(records.names.values()) == {"b c.mp4"}
    assert list(records.sources.values()) == [({0}, 2)]
    with pytest.raises(InputError, match=f"{LINES}:3: frame 5 of .*b c.mp4 is in .*:2 too"):
        Records([write_lines(tmp_path / LINES, *lines)])
    absolute = VIDEO[1] | {"file": str(Path(VIDEO[1]["file"]).absolute())}
    with pytest.raises(InputError, match=f"{LINES}:2: frame 5 of"):
        Records([write_lines(tmp_path / LINES, absolute, VIDEO[1])])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"", ":2 is damaged: "),
        (b"\xff{}", ":2 is damaged: "),
        (b'{"file": "in/b', ":2 is damaged: "),
        (b"[1]", ":2: it is no object"),
        (b"{}", ":2: it has no file, frame, time, width"),
        ({"file": None}, ":2: its file is null"),
        ({"frame": -1}, ":2: frame is -1"),
        ({"frame": True}, ":2: frame is True"),
        ({"frame": 10**30}, ":2: frame is 1000"),
        ({"width": 0}, ":2: width is 0"),
        ({"width": "640"}, ":2: width is '640'"),
        ({"file": ""}, ":2: file is ''"),
        ({"file": "a\0.jpg"}, ":2: file is 'a"),
        ({"time": "0"}, ":2: time is '0'"),
        ({"probability": 75}, ":2: probability is 75"),
        ({"probability": 10**400}, ":2: probability is 1000"),
        ({"probabilities": {"cat": "x"}}, ":2: probabilities is {'cat': 'x'}"),
        ({"boxes": [[9, 0, 1, 2]], "scores": [1]}, ":2: boxes is "),
        (BOXES | {"scores": [2, 2]}, r":2: scores is \[2, 2\]"),
        (BOXES | {"tracks": ["a", "b"]}, r":2: tracks is \['a', 'b'\]"),
        ({"class": ["cat"]}, r":2: class is \['cat'\]"),
        (b'{"file": "a", "file": "b"}', ":2 is damaged: it has 'file' twice"),
        (b"[" * 10**5, ":2 is damaged: it is nested too deep"),
        ({"boxes": [[1, 2, 3]], "scores": [1]}, r":2: boxes is \[\[1, 2, 3\]\]"),
        ({"boxes": [[1, 2, 3, float("nan")]], "scores": [1]}, ":2: boxes is "),
        (BOXES | {"scores": []}, ":2: boxes, scores and tracks differ in length"),
        (BOXES | {"tracks": [1]}, ":2: boxes, scores and tracks differ in length"),
        ({"class": "cow"}, ":2: class is 'cow', probabilities has no such class"),
        ({"probabilities": {"cat": 1}}, ":2: its classes are cat, those of .*:1 are cat, sea"),
    ],
)
def test_damaged_lines_are_named(tmp_path, line, message):
    path = write_lines(tmp_path / LINES, VIDEO[0])
    if isinstance(line, dict):
        line = json.dumps(record("in/x.jpg") | line).encode()
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(InputError, match=f"{re.escape(str(path))}{message}"):
        Records([path])


def test_an_interrupted_line_is_called_so(tmp_path):
    path = write_lines(tmp_path / LINES, *VIDEO)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(InputError, match=f"{LINES}:3: the last line has no end"):
        Records([path])


def test_an_interrupted_file_is_known(tmp_path):
    records = Records([write_lines(tmp_path / LINES, *VIDEO, *IMAGES)])
    assert unfinished(records) == []  # no note of what is finished
    with ResultFolder(tmp_path / "new", {}) as folder:
        for one in (*IMAGES, *VIDEO):
            folder.write(one)
        for image in IMAGES:
            folder.finish(image["file"], 1, 1, None)
    assert unfinished(Records(find_lines([tmp_path / "new"]))) == ["in/b c.mp4"]
    # Beside lines of which nothing is known, and where lines were lost.
    write_lines(tmp_path / "old" / LINES, record("in/old.jpg"))
    paths = find_lines([tmp_path / "new", tmp_path / "old"])
    assert unfinished(Records(paths)) == ["in/b c.mp4"]
    with (tmp_path / "new/finished.jsonl").open("a") as notes:
        notes.write(json.dumps({"file": "in/../in/b c.mp4", "frames": 3}) + "\n")
    assert unfinished(Records(paths)) == []
    write_lines(tmp_path / "new" / LINES, *IMAGES, *VIDEO[1:])
    assert unfinished(Records(paths)) == ["in/b c.mp4"]


def test_no_lines(tmp_path):
    with pytest.raises(InputError, match="there is no predictions.jsonl at any depth"):
        find_lines([tmp_path])
    with pytest.raises(InputError, match="there is no frame in "):
        Records([write_lines(tmp_path / LINES)])


def test_names_lie_below_the_root(tmp_path):
    path = write_lines(tmp_path / LINES, record("../x/a/1.jpg"), record("../x/b/2.jpg"))
    assert list(Records([path]).names.values()) == ["a/1.jpg", "b/2.jpg"]
    assert list(Records([path], Path("..")).names.values()) == ["x/a/1.jpg", "x/b/2.jpg"]
    with pytest.raises(InputError, match="../x/b/2.jpg is not below .*/x/a: give --root"):
        Records([path], Path("../x/a"))
    assert relative_names(["/1.jpg"], "/") == {"/1.jpg": "1.jpg"}
    one = Records([write_lines(path, record("in/a/one.jpg"))])
    assert one.names == {"in/a/one.jpg": "one.jpg"} and one.root.name == "a"


def test_results_of_two_files_never_have_one_name():
    images = ["a.jpg", "a.png", "a.jpg.jpg", "b.jpg", "b_1.jpg", "c/1.jpg", "d/a.jpg", "e_7.png"]
    images += ["H.jpg", "h.png"]  # one name, for some file systems
    videos = ["b.mp4", "c.mp4", "d.mp4", "e.mp4", "f.mp4", "f.avi", "g.mp4"]
    names = output_names([*images, *videos], videos)
    assert names == {
        **{"a.jpg": "a.jpg", "a.png": "a.png", "a.jpg.jpg": "a.jpg.jpg", "c/1.jpg": "c/1"},
        **{"b.jpg": "b.jpg", "b_1.jpg": "b_1", "d/a.jpg": "d/a", "e_7.png": "e_7"},
        **{"b.mp4": "b.mp4", "c.mp4": "c.mp4", "d.mp4": "d.mp4", "e.mp4": "e.mp4"},
        **{"f.mp4": "f.mp4", "f.avi": "f.avi", "g.mp4": "g"},
        **{"H.jpg": "H.jpg", "h.png": "h.png"},
    }
    assert len(set(names.values())) == len(names)
