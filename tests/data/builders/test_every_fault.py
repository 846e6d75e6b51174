"""A user's folder with every fault that images, shots and boxes can have; each has its rule.

Annotation files of YouTube-Objects have faults of their own: tests/data/builders/youtube_objects.
"""

import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image

from tcam_jax.data.builders.findings import HARMLESS, RULES
from tcam_jax.data.builders.registry import prepare, validate
from tests.data.builders.hand_made import jpeg, read
from tests.runtime.test_plain_files import sparse


def write(place: Path, content: bytes):
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)


def picture(mode: str = "RGB", kind: str = "JPEG", **options) -> bytes:
    file = io.BytesIO()
    Image.open(io.BytesIO(jpeg(99))).convert(mode).save(file, kind, **options)
    return file.getvalue()


def rotated() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return picture(exif=exif)


def add_box(root: Path, line: str):
    with (root / "boxes.csv").open("a") as file:
        file.write(line + "\n")


class Fault(NamedTuple):
    """How it is made in a clean folder, the kind it is reported as, and where."""

    make: Callable[[Path], object]
    kind: str
    where: str


def frame(name: str) -> str:
    return f"dog/rex/walk/{name}.jpg"


# The clean folder: dog/rex/walk/{0..9}.jpg and three more videos; every fault has its own frame.
FAULTS = {
    "truncated": Fault(
        lambda root: write(root / frame("0"), jpeg(0)[:400]), "undecodable", frame("0")
    ),
    "zero bytes": Fault(lambda root: write(root / frame("1"), b""), "zero_bytes", frame("1")),
    "no image": Fault(lambda root: write(root / frame("2"), b"<html>"), "undecodable", frame("2")),
    "png named jpg": Fault(
        lambda root: write(root / frame("3"), picture(kind="PNG")), "not_jpeg", frame("3")
    ),
    "cmyk": Fault(lambda root: write(root / frame("4"), picture("CMYK")), "cmyk", frame("4")),
    "grey": Fault(lambda root: write(root / frame("5"), picture("L")), "grey", frame("5")),
    "progressive": Fault(
        lambda root: write(root / frame("6"), picture(progressive=True)), "progressive", frame("6")
    ),
    "rotated": Fault(lambda root: write(root / frame("7"), rotated()), "exif_rotated", frame("7")),
    "twice the same": Fault(
        lambda root: shutil.copy(root / frame("8"), root / frame("9")), "duplicate", frame("9")
    ),
    "unreadable": Fault(
        lambda root: (root / "dog/rex/walk/10.jpg").mkdir(), "unreadable", "dog/rex/walk/10.jpg"
    ),
    "link to nowhere": Fault(
        lambda root: (root / "dog/rex/walk/11.jpg").symlink_to("nowhere.jpg"),
        "dead_link",
        "dog/rex/walk/11.jpg",
    ),
    "link in a circle": Fault(
        lambda root: (root / "dog/all").symlink_to("../.."), "link_loop", "dog/all"
    ),
    "system's": Fault(lambda root: write(root / "dog/Thumbs.db", b"x"), "system", "dog/Thumbs.db"),
    "hidden": Fault(
        lambda root: write(root / "dog/rex/walk/.12.jpg", jpeg(12)),
        "hidden",
        "dog/rex/walk/.12.jpg",
    ),
    "name that is no text": Fault(
        lambda root: write(root / os.fsdecode(b"dog/rex/walk/caf\xe9"), jpeg(13)),
        "bad_name",
        r"dog/rex/walk/caf\xe9",
    ),
    "link to a video": Fault(
        lambda root: (root / "dog/again").symlink_to("rex"), "same_video", "dog/again"
    ),
    "pipe": Fault(
        lambda root: os.mkfifo(root / "dog/rex/walk/14.jpg"), "special", "dog/rex/walk/14.jpg"
    ),
    "device": Fault(
        lambda root: (root / "dog/endless.mp4").symlink_to("/dev/zero"),
        "special",
        "dog/endless.mp4",
    ),
    "too large": Fault(
        lambda root: sparse(root / "dog/rex/walk/15.jpg"), "unreadable", "dog/rex/walk/15.jpg"
    ),
    "another file": Fault(
        lambda root: write(root / "dog/rex/walk/notes.txt", b"hello"),
        "not_a_frame",
        "dog/rex/walk/notes.txt",
    ),
    "empty shot": Fault(
        lambda root: (root / "dog/rex/empty").mkdir(), "empty_shot", "dog/rex/empty"
    ),
    "shot of bad frames": Fault(
        lambda root: write(root / "dog/rex/bad/0.jpg", b"x"), "empty_shot", "dog/rex/bad"
    ),
    "shot of one frame": Fault(
        lambda root: write(root / "dog/rex/one/0.jpg", jpeg(50)), "one_frame_shot", "dog/rex/one"
    ),
    "box outside": Fault(
        lambda root: add_box(root, "cat/tom/run/0.jpg,40,2,50,20"), "box_empty", "line 3"
    ),
    "box over the edge": Fault(
        lambda root: add_box(root, "cat/tom/run/0.jpg,-4,2,30,20"), "box_clipped", "line 4"
    ),
    "box inverted": Fault(
        lambda root: add_box(root, "cat/tom/run/0.jpg,20,2,10,20"), "box_inverted", "line 5"
    ),
    "box that is none": Fault(
        lambda root: add_box(root, "cat/tom/run/0.jpg,20,2,here,20"), "box_malformed", "line 6"
    ),
    "box of no frame": Fault(
        lambda root: add_box(root, "cat/tom/run/77.jpg,1,2,3,4"), "box_without_frame", "line 7"
    ),
    "box of a skipped frame": Fault(
        lambda root: add_box(root, f"{frame('0')},1,2,3,4"), "box_without_frame", "line 8"
    ),
}


def clean_folder(root: Path) -> Path:
    """Names with blanks, letters of other alphabets, commas and '#': none of these is a fault."""
    shots = ("dog/rex/walk", "cat/tom/run", "cat/Mäuse, drei #2/Küche und 猫")
    for number, shot in enumerate(shots):
        for index in range(10):
            write(root / shot / f"{index}.jpg", jpeg(100 * number + index))
    write(root.parent / "elsewhere.jpg", jpeg(7))
    add_box(root, "frame,x0,y0,x1,y1")
    add_box(root, "cat/tom/run/0.jpg,1,2,30,20")
    return root


def arguments(data_dir: Path, root: Path) -> dict:
    return {
        "name": "video_folder",
        "config": "mine",
        "data_dir": data_dir,
        "manual_dir": root,
        "fractions": (1.0, 0.0, 0.0),
    }


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """One folder with all faults, prepared: the report, and the ids of the records."""
    root = tmp_path_factory.mktemp("faults") / "source"
    clean_folder(root)
    for fault in FAULTS.values():
        fault.make(root)
    data_dir = tmp_path_factory.mktemp("data")
    folder = prepare(**arguments(data_dir, root))
    report = json.loads((folder / "dataset_report.json").read_text())
    _, records = read(data_dir, "train", "mine")
    return report, {record["frame_id"]: record for record in records}, data_dir, root


def reported(report) -> set[tuple[str, str]]:
    found = set()
    for kind, entry in report["findings"].items():
        assert entry["action"] == RULES[kind].action and entry["count"] == len(entry["places"])
        for place in entry["places"]:
            where = place["where"]
            found.add((kind, where[where.index("line ") :] if "boxes.csv" in where else where))
    return found


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_reported_and_only_what_is_unusable_is_left_out(everything, name):
    report, records, *_ = everything
    fault = FAULTS[name]
    assert (fault.kind, fault.where) in reported(report)
    if fault.where.endswith(".jpg"):
        usable = RULES[fault.kind].action != "skipped"
        assert (fault.where in records) == usable
        assert not usable or Image.open(io.BytesIO(records[fault.where]["image"])).format == "JPEG"


def test_nothing_else_is_reported_and_nothing_else_is_lost(everything):
    report, records, _, root = everything
    # Making a shot of bad frames makes a bad frame too.
    expected = {(f.kind, f.where) for f in FAULTS.values()} | {("undecodable", "dog/rex/bad/0.jpg")}
    assert reported(report) == expected
    lost = {f.where for f in FAULTS.values() if RULES[f.kind].action == "skipped"}
    files = {file.relative_to(root).as_posix() for file in root.rglob("*.jpg")}
    assert set(records) == files - lost - {"dog/rex/bad/0.jpg"}


def test_boxes_are_those_that_the_rules_leave(everything):
    _, records, *_ = everything
    assert records["cat/tom/run/0.jpg"]["boxes"].tolist() == [
        [1, 2, 30, 20],
        [0, 2, 30, 20],
        [10, 2, 20, 20],
    ]
    assert sum(len(record["boxes"]) for record in records.values()) == 3


def test_names_of_any_kind_are_no_fault(everything):
    _, records, *_ = everything
    assert sum("Küche und 猫" in frame_id for frame_id in records) == 10


def test_the_validator_reports_the_same(everything, tmp_path):
    report, _, _, root = everything
    assert validate(**arguments(tmp_path, root)) == report
    assert list(tmp_path.rglob("*.array_record*")) == []


@pytest.mark.parametrize("name", FAULTS)
def test_strict_stops_at_each_fault_that_would_be_repaired_or_skipped(tmp_path, name):
    root = clean_folder(tmp_path / "source")
    fault = FAULTS[name]
    fault.make(root)
    if RULES[fault.kind].action in HARMLESS:
        prepare(**arguments(tmp_path / "data", root), strict=True)
        return
    where = {
        # What is found first.
        "shot of bad frames": "dog/rex/bad/0.jpg",
    }.get(name, fault.where)
    if where.startswith("line"):
        where = "boxes.csv line 3"  # the first line after the clean ones
    if name == "box of a skipped frame":
        (root / frame("0")).write_bytes(b"")
        where = frame("0")
    with pytest.raises(ValueError) as caught:
        prepare(**arguments(tmp_path / "data", root), strict=True)
    assert where in str(caught.value) and "strict" in str(caught.value)


def test_a_clean_folder_is_strictly_clean(tmp_path):
    root = clean_folder(tmp_path / "source")
    prepare(**arguments(tmp_path / "data", root), strict=True)
    assert len(read(tmp_path / "data", "train", "mine")[1]) == 30
    assert os.listdir(tmp_path / "data/video_folder/mine") == ["1.0.0"]
